"""Source `buy_again`: items of the user's own history, by frequency and recency."""

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.selection import best_pairs


def _candidates(request: CandidateRequest) -> SourceCandidates:
    affinity = request.affinity
    chosen = slice(None) if request.allowed is None else request.allowed[affinity.items]
    users, items, scores = affinity.users[chosen], affinity.items[chosen], affinity.scores[chosen]
    return SourceCandidates(*best_pairs(users, items, scores, len(request.users), request.limit))


BUY_AGAIN = CandidateSource(
    name="buy_again",
    candidates=_candidates,
    arrays=(),
    default_weight=2.0,
    specificity=3,
    reason="for_you",
)
