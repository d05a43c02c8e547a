"""Proposing from lists of related items that the bundle holds, by the sum of weight times score."""

from typing import Any

import numpy as np
import numpy.typing as npt

from serving.engine.candidates.affinity import type_weights
from serving.engine.candidates.base import CandidateRequest, SourceCandidates
from serving.engine.candidates.selection import best_pairs, sums

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

LATEST = 16
"""Last events whose related items are proposed."""


def related_to_latest(
    request: CandidateRequest, lists: tuple[Integers, Floats], decay: float
) -> SourceCandidates:
    """Items related to a user's last events, each event counting `decay` times the one after it.

    Args:
        request: For B users.
        lists: [n, M] related items of each item, and [n, M] their scores.
        decay: Between 0 and 1.
    """
    bundle, users = request.bundle, request.users
    items = users.history_items[:, :LATEST]
    weights = type_weights(bundle)[users.history_types[:, :LATEST]] * decay ** np.arange(items.shape[1])
    at_user, at_event = np.nonzero((items >= 0) & (weights > 0))
    chosen = at_user, at_event
    return score_related(request, at_user, items[chosen], weights[chosen], lists)


def score_related(
    request: CandidateRequest,
    users: npt.NDArray[np.int64],
    items: npt.NDArray[Any],
    weights: npt.NDArray[np.float64],
    lists: tuple[Integers, Floats],
) -> SourceCandidates:
    """The related items of what users had, by the sum of weight times score.

    Args:
        request: For B users.
        users: [P] rows of the batch.
        items: [P] items that these users had.
        weights: [P] of these pairs.
        lists: [n, M] related items of each item, and [n, M] their scores.
    """
    n_items = np.int64(request.bundle.n_items)
    related = lists[0][items]
    strength = weights[:, None] * lists[1][items]
    usable = (related >= 0) & (strength > 0)
    if request.allowed is not None:
        usable &= request.allowed[related]
    at_pair, at_rank = np.nonzero(usable)
    keys = users[at_pair] * n_items + related[at_pair, at_rank]
    distinct, inverse = np.unique(keys, return_inverse=True)
    scores = sums(inverse, strength[at_pair, at_rank], len(distinct))
    at_user, at_item = np.divmod(distinct, n_items)
    return SourceCandidates(*best_pairs(at_user, at_item, scores, len(request.users), request.limit))
