"""How good the lists are, per user: recall, precision, F1, hit rate, NDCG, MRR and MAP at several `k`.

Relevance is binary. Definitions follow Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
techniques" (2002) for NDCG, and Manning, Raghavan and Schütze, "Introduction to Information Retrieval"
(2008), chapter 8, for the rest.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError
from pipelines.evaluation.ground_truth import GroundTruth

METRICS = ("recall", "precision", "f1", "hit_rate", "ndcg", "mrr", "map")
"""Metrics of one list against one user's truth, each in [0, 1]."""

PerUser = dict[str, NDArray[np.float64]]
"""Metric such as `ndcg@10` → its value for each user `[n_users]`, NaN where the user has no truth."""


def evaluate_lists(
    recommended: NDArray[np.integer], truth: GroundTruth, ks: Sequence[int] = (5, 10, 20)
) -> PerUser:
    """Score lists of item indices `[n_users, list_length]`, best first, -1 as padding at the end.

    - `recall@k`: share of the user's true items among the first k.
    - `precision@k`: share of the k places that hold a true item; empty places count as misses.
    - `f1@k`: harmonic mean of the two, 0 where both are.
    - `hit_rate@k`: 1 if there is any true item among the first k.
    - `ndcg@k`: gain 1/log2(rank + 1) of each true item over that of a perfect list.
    - `mrr@k`: 1 / rank of the first true item, 0 where there is none among the first k.
    - `map@k`: precision at each true item's rank, summed over min(k, number of true items).

    Args:
        recommended: The lists; row u belongs to row u of the truth.
        truth: What the users did afterwards.
        ks: Lengths to measure at; those beyond the lists' length are left out.

    Raises:
        EvaluationError: A list holds an item twice, or the lists do not fit the truth.
    """
    refuse_repeats(recommended)
    return metrics_of_hits(truth.relevance(recommended), truth.sizes, ks)


def metrics_of_hits(
    hits: NDArray[np.bool_], true_sizes: NDArray[np.integer], ks: Sequence[int] = (5, 10, 20)
) -> PerUser:
    """The metrics of `evaluate_lists` of hits `[n_users, list_length]` and truth sizes `[n_users]`."""
    known = true_sizes > 0
    sizes = np.where(known, true_sizes, np.nan)
    answered = np.where(known, 1.0, np.nan)
    ranks = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)
    gains = np.cumsum(hits / np.log2(ranks + 1), axis=1)
    ideal = np.cumsum(1 / np.log2(ranks + 1))
    precisions = np.cumsum(hits * found / ranks, axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)
    values: PerUser = {}
    for k in lengths_within(ks, hits):
        recall, precision = found[:, k - 1] / sizes, found[:, k - 1] / k * answered
        reachable = np.minimum(np.maximum(true_sizes, 1), k)
        both = recall + precision
        values[f"recall@{k}"] = recall
        values[f"precision@{k}"] = precision
        values[f"f1@{k}"] = np.divide(2 * recall * precision, both, out=np.zeros_like(both), where=both != 0)
        values[f"hit_rate@{k}"] = np.where(found[:, k - 1] > 0, 1.0, 0.0) * answered
        values[f"ndcg@{k}"] = gains[:, k - 1] / ideal[reachable - 1] * answered
        values[f"mrr@{k}"] = np.where(first <= k, 1 / first, 0.0) * answered
        values[f"map@{k}"] = precisions[:, k - 1] / reachable * answered
    return values


def ndcg_of_ranks(
    ranks: NDArray[np.integer], rows: NDArray[np.integer], n_users: int, k: int
) -> NDArray[np.float64]:
    """NDCG@k of users `[n_users]` whose true items `[n_pairs]` have these 0-based ranks.

    Every user has at least one true item; equal ranks may occur.
    """
    gains = np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(k) + 2.0))
    counts = np.minimum(np.bincount(rows, minlength=n_users), k)
    return np.asarray(np.bincount(rows, gains, n_users) / ideal[np.maximum(counts, 1) - 1], np.float64)


def recall_curve(hits: NDArray[np.bool_], true_sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean recall at every k from 1 to the lists' length, `[list_length]`, over users with truth."""
    known = true_sizes > 0
    found = np.cumsum(hits[known], axis=1)
    return (found / true_sizes[known, None]).mean(axis=0) if known.any() else np.zeros(hits.shape[1])


def lengths_within(ks: Sequence[int], lists: NDArray[Any]) -> list[int]:
    """Those of `ks` that the lists are long enough for, ascending."""
    return sorted(k for k in set(ks) if 1 <= k <= lists.shape[1])


def refuse_repeats(recommended: NDArray[np.integer]) -> None:
    """Raise `EvaluationError` where a list holds an item twice: each copy would count as a hit."""
    ordered = np.sort(recommended, axis=1)
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        raise EvaluationError(
            f"expected every list to hold an item once, received repeats in {int(repeated.sum())} lists, "
            f"first in row {row}: {recommended[row].tolist()}; remove duplicates before evaluating"
        )
