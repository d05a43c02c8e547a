"""From scores of all items to lists, without a tie ever telling the answer.

In many shops item ids are numbered by first appearance, so whoever breaks ties by id or row order leaks when
an item was first sold. Here ties are broken by a shuffle that is seeded and different for every user.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError

CompressedRows = tuple[NDArray[np.integer], NDArray[np.integer]]
"""`(indptr, items)`: row `u` is `items[indptr[u]:indptr[u + 1]]`."""


def rank_scores(
    scores: NDArray[np.floating],
    k: int,
    *,
    seed: int = 0,
    rows: NDArray[np.integer] | None = None,
    seen: CompressedRows | None = None,
) -> NDArray[np.int32]:
    """The `k` best items of each row of scores `[batch_size, n_items]`, best first, -1 where there are fewer.

    Items scored `-inf` are never listed. A batch of a few hundred rows at a time keeps memory small; the
    result does not depend on how the users are cut into batches if `rows` numbers them.

    Args:
        scores: Higher is better; NaN is refused.
        k: Length of the lists.
        seed: Of the shuffle that breaks ties.
        rows: A stable number for each user `[batch_size]`, which only decides their ties; the position in
            this batch if left out.
        seen: Items to leave out for each row.

    Returns:
        Item indices `[batch_size, k]`.

    Raises:
        EvaluationError: A score is NaN, or there is nothing to rank.
    """
    if scores.ndim != 2 or scores.shape[1] < 1 or k < 1:
        raise EvaluationError(
            f"expected scores [batch_size, n_items] and k of at least 1, received shape {scores.shape}, k {k}"
        )
    batch_size, n_items = scores.shape
    if np.isnan(scores.max(initial=-np.inf)):
        raise EvaluationError("expected scores that can be compared, received NaN; check the model's inputs")
    if seen is not None:
        indptr, items = seen
        scores = scores.copy()
        scores[np.repeat(np.arange(batch_size), np.diff(indptr)), items] = -np.inf
    rows = np.arange(batch_size) if rows is None else rows
    best, keys = _top(scores, min(k, n_items), seed, rows)
    best_scores = np.take_along_axis(scores, best, axis=1)
    order = np.lexsort((keys, -best_scores), axis=1)
    ranked = np.take_along_axis(best, order, axis=1).astype(np.int32)
    ranked[np.isneginf(np.take_along_axis(best_scores, order, axis=1))] = -1
    return np.pad(ranked, ((0, 0), (0, k - ranked.shape[1])), constant_values=-1)


def _top(
    scores: NDArray[np.floating], k: int, seed: int, rows: NDArray[np.integer]
) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """The `k` best columns of each row in no order, and the keys that break ties among them."""
    batch_size, n_items = scores.shape
    shuffle, multipliers = _item_keys(n_items, seed), _row_multipliers(rows, seed)
    floor = _floor(scores, k)
    promising = scores >= floor[:, None]
    counts = np.count_nonzero(promising, axis=1)
    best = np.empty((batch_size, k), np.intp)
    crowded = counts > 4 * k + 64
    if crowded.any():
        best[crowded] = _top_of_crowded(scores[crowded], k, shuffle, multipliers[crowded])
        promising[crowded] = False
    row, column = np.nonzero(promising)
    order = np.lexsort((shuffle[column] * multipliers[row], -scores[row, column], row))
    starts = np.cumsum(np.where(crowded, 0, counts)) - counts
    best[~crowded] = column[order[starts[~crowded, None] + np.arange(k)]]
    return best, shuffle[best] * multipliers[:, None]


def _floor(scores: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """A score for each row that at least `k` of its items reach, and seldom many more.

    The k-th greatest of the maxima of many groups of items is such a score, and far cheaper to find than the
    k-th greatest of all scores.
    """
    batch_size, n_items = scores.shape
    groups = max(256, 8 * k)
    size = n_items // groups
    if size < 2:
        return np.partition(scores, n_items - k, axis=1)[:, n_items - k]
    maxima = scores[:, : groups * size].reshape(batch_size, size, groups).max(axis=1)
    floor: NDArray[np.floating] = np.partition(maxima, groups - k, axis=1)[:, groups - k]
    return floor


def _top_of_crowded(
    scores: NDArray[np.floating], k: int, shuffle: NDArray[np.uint32], multipliers: NDArray[np.uint32]
) -> NDArray[np.intp]:
    """The `k` best columns of rows with many equal scores at the border: the smallest keys win there."""
    n_items = scores.shape[1]
    border = np.partition(scores, n_items - k, axis=1)[:, n_items - k, None]
    keys = ((shuffle[None, :] * multipliers[:, None]) >> np.uint32(2)) + np.uint32(1)
    keys[scores > border] = 0
    keys[scores < border] = 2**31
    return np.argpartition(keys, k - 1, axis=1)[:, :k]


def _item_keys(n_items: int, seed: int) -> NDArray[np.uint32]:
    return np.random.default_rng(seed).integers(0, 2**32, size=n_items, dtype=np.uint32)


def _row_multipliers(rows: NDArray[np.integer], seed: int) -> NDArray[np.uint32]:
    """An odd number for each row: multiplying by it shuffles the items anew (multiply-shift hashing)."""
    mixed = rows.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    # The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
