"""Lists out of scores: all items ranked for every request, some hundred requests at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.protocols import seen_pairs
from pipelines.evaluation import rank_scores
from pipelines.training.baselines import USER_BATCH_SIZE, Recommender
from pipelines.training.data import EvaluationPoint

BLOCK_VALUES = 4_000_000
"""Scores made at once: 16 MB, a size that the allocator reuses; larger arrays are paged in anew each time."""


def list_requests(
    recommender: Recommender,
    stage: EvaluationPoint,
    n_items: int,
    k: int,
    *,
    repeats: bool,
    seed: int = 0,
    requests: NDArray[np.integer] | None = None,
) -> NDArray[np.int32]:
    """[R, k] the best items for each request, best first, -1 = none.

    Items that the recommender has nothing to say about follow those that it scores above 0, the more popular
    before the others, so that every list is full. Equal items are in a seeded order of their own for each
    request, which tells nothing of when an item was new.

    Args:
        recommender: Fitted.
        stage: Whose requests are answered, and what was known.
        n_items: Items of the catalogue.
        k: Length of the lists.
        repeats: Whether items of a request's history may be listed.
        seed: Of the order of equal items.
        requests: [R] which requests, in that order; all, if left out.
    """
    requests = np.arange(len(stage.histories)) if requests is None else np.asarray(requests)
    lists = np.empty((len(requests), k), np.int32)
    backup = popularity_below_zero(stage, n_items)
    done = 0
    for chosen in blocks(requests, n_items):
        histories = stage.histories.take(chosen)
        scores = recommender.scores(histories)
        np.copyto(scores, backup, where=scores <= 0)
        if not repeats:
            rows, items = np.divmod(seen_pairs(histories, n_items), n_items)
            scores[rows, items] = -np.inf
        lists[done : done + len(chosen)] = rank_scores(scores, k, seed=seed, rows=chosen)
        done += len(chosen)
    return lists


def blocks(requests: NDArray[np.integer], n_items: int) -> Iterator[NDArray[np.integer]]:
    """The requests some at a time, so that the scores of all items for them stay small."""
    step = max(1, min(USER_BATCH_SIZE, BLOCK_VALUES // max(n_items, 1)))
    for start in range(0, len(requests), step):
        yield requests[start : start + step]


def popularity_below_zero(stage: EvaluationPoint, n_items: int) -> NDArray[np.float32]:
    """[n_items] scores in (-2, -1] in the order of the items' known events, equal where those are."""
    counts = np.bincount(stage.known.items, minlength=n_items)
    levels, places = np.unique(counts, return_inverse=True)
    return (-1 - (len(levels) - 1 - places) / len(levels)).astype(np.float32)
