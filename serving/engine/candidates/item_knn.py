"""Source `item_knn`: neighbours of the items in the user's history."""

import numpy as np

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.related_lists import score_related
from serving.engine.candidates.selection import order_by_user

HISTORY_ITEMS = 50
"""Distinct items of a user's history whose neighbours are proposed, those of the largest affinity first."""


def _candidates(request: CandidateRequest) -> SourceCandidates:
    """Neighbours by the sum of log(1 + affinity) times similarity."""
    affinity, bundle = request.affinity, request.bundle
    order, ranks = order_by_user(affinity.users, affinity.scores, len(request.users))
    order = order[ranks < HISTORY_ITEMS]
    strength = np.log1p(affinity.scores[order])
    lists = bundle.neighbours, bundle.neighbour_scores
    return score_related(request, affinity.users[order], affinity.items[order], strength, lists)


ITEM_KNN = CandidateSource(
    name="item_knn",
    candidates=_candidates,
    arrays=("neighbours", "neighbour_scores"),
    default_weight=1.0,
    specificity=2,
    reason="for_you",
)
