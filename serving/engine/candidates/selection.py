"""Choosing the best items: of rows of scores, and of pairs of user and item."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


def top_columns(scores: Floats, limit: int) -> Integers:
    """[B, k] columns of the `limit` largest scores of each row, best first."""
    width = scores.shape[1]
    if limit < width:
        top = np.argpartition(scores, width - limit, axis=1)[:, width - limit :]
    else:
        top = np.broadcast_to(np.arange(width), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int32)


def sums(groups: npt.NDArray[Any], values: npt.NDArray[Any], n_groups: int) -> npt.NDArray[np.float64]:
    """[G] the sum of the values of each group."""
    return np.bincount(groups, values, n_groups).astype(np.float64, copy=False)


def best_pairs(
    users: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    n_users: int,
    limit: int,
) -> tuple[Integers, Floats]:
    """[B, k] each user's items of the highest scores, and [B, k] these scores; -1 and 0 behind the last."""
    order, places = order_by_user(users, scores, n_users)
    inside = places < limit
    shape = (n_users, min(limit, int(places.max(initial=-1)) + 1))
    top, top_scores = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    at = users[order][inside], places[inside]
    top[at], top_scores[at] = items[order][inside], scores[order][inside]
    return top, top_scores


def order_by_user(
    users: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], n_users: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The pairs by user and falling score, and each one's 0-based place among its user's."""
    order = np.lexsort((-scores, users))
    counts = np.bincount(users, minlength=n_users)
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order, places
