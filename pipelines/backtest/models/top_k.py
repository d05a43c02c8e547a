"""Lists out of scores: all items ranked for every request of a test."""

import numpy as np
from numpy.typing import NDArray

from pipelines.training.baselines import Recommender, ranked_lists
from pipelines.training.data import EvaluationPoint


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
    return ranked_lists(
        recommender,
        stage.histories.take(requests),
        k,
        repeats=repeats,
        seed=seed,
        rows=requests,
        padding=popularity_below_zero(stage, n_items),
    )


def popularity_below_zero(stage: EvaluationPoint, n_items: int) -> NDArray[np.float32]:
    """[n_items] scores in (-2, -1] in the order of the items' known events, equal where those are."""
    counts = np.bincount(stage.known.items, minlength=n_items)
    levels, places = np.unique(counts, return_inverse=True)
    return (-1 - (len(levels) - 1 - places) / len(levels)).astype(np.float32)
