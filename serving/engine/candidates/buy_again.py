"""Source `buy_again`: items of the user's own history, by frequency and recency."""

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.selection import best_pairs


def _candidates(request: CandidateRequest) -> SourceCandidates:
    affinity = request.affinity
    # Items without affinity were returned, hidden, or met in events that count nothing.
    chosen = affinity.scores > 0
    if request.allowed is not None:
        chosen &= request.allowed[affinity.items]
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
