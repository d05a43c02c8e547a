"""Source `content_similar`: items whose content is similar to what the user took last."""

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.related_lists import related_to_latest

DECAY = 0.7
"""What an event counts of the event after it."""


def _candidates(request: CandidateRequest) -> SourceCandidates:
    bundle = request.bundle
    return related_to_latest(request, (bundle.lookalikes, bundle.lookalike_scores), DECAY)


CONTENT_SIMILAR = CandidateSource(
    name="content_similar",
    candidates=_candidates,
    arrays=("lookalikes", "lookalike_scores"),
    default_weight=0.5,
    specificity=1,
    reason="for_you",
)
