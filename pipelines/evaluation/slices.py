"""The slices that a mean may hide: new, light and heavy users, head, tail and new items, categories."""

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.item_facts import Catalogue
from pipelines.evaluation.metrics import PerUser, metrics_of_hits

NEW_USER_EVENTS = 5
"""A user with fewer events than this before the cutoff is new."""


def user_slices(history_sizes: NDArray[np.integer]) -> dict[str, NDArray[np.bool_]]:
    """Which users are `user:new`, `user:light` and `user:heavy`, by their events before the cutoff.

    `history_sizes` is `[n_users]`. Users who are not new are light up to the median of their history lengths,
    and heavy above it.
    """
    is_new = history_sizes < NEW_USER_EVENTS
    median = np.median(history_sizes[~is_new]) if (~is_new).any() else 0.0
    return {
        "user:new": is_new,
        "user:light": ~is_new & (history_sizes <= median),
        "user:heavy": ~is_new & (history_sizes > median),
    }


def sliced_values(
    hits: NDArray[np.bool_],
    lists: NDArray[np.integer],
    truth: GroundTruth,
    users: dict[str, NDArray[np.bool_]],
    items: dict[str, NDArray[np.bool_]],
    metric: str,
    pairs: dict[str, NDArray[np.bool_]] | None = None,
) -> PerUser:
    """The metric for each user in each slice, NaN outside of the slice.

    In a slice of users only those users count. In a slice of items, or of true pairs, only those count as
    true, while the lists stay as they are: what a list could have gained from them, and did.
    """
    k = int(metric.rpartition("@")[2])
    own = metrics_of_hits(hits, truth.sizes, (k,))[metric]
    values: PerUser = {name: np.where(mask, own, np.nan) for name, mask in users.items()}
    listed = np.where(lists >= 0, lists, 0)
    for name, mask in items.items():
        values[name] = metrics_of_hits(hits & mask[listed], truth.only(mask).sizes, (k,))[metric]
    for name, mask in (pairs or {}).items():
        part = truth.pairs(mask)
        values[name] = metrics_of_hits(part.relevance(lists), part.sizes, (k,))[metric]
    return values


def popularity_bins(catalogue: Catalogue) -> NDArray[np.float64]:
    """Lower ends of the popularity bins: never wished for, then half decades from 1 on."""
    top = max(1.0, float(catalogue.popularity.max(initial=1.0)))
    steps = np.arange(0, np.floor(2 * np.log10(top)) + 1)
    return np.concatenate(([0.0], np.unique(np.round(10 ** (steps / 2)))))


def popularity_shares(
    items: NDArray[np.integer], catalogue: Catalogue, bins: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the items `[n]` in each popularity bin; padding and unlisted items are left out."""
    known = items[(items >= 0) & (items < catalogue.n_items)]
    which = np.searchsorted(bins, catalogue.popularity[known], side="right") - 1
    return np.bincount(which, minlength=len(bins)) / max(1, len(known))
