"""Source `next_items`: items that others took after what the user took last."""

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.related_lists import related_to_latest

DECAY = 0.5
"""What an event counts of the event after it."""


def _candidates(request: CandidateRequest) -> SourceCandidates:
    bundle = request.bundle
    return related_to_latest(request, (bundle.followers, bundle.follower_scores), DECAY)


NEXT_ITEMS = CandidateSource(
    name="next_items",
    candidates=_candidates,
    arrays=("followers", "follower_scores"),
    default_weight=1.0,
    specificity=2,
    reason="for_you",
)
