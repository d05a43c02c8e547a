"""How sure a mean over users is: percentile bootstrap intervals, alone and of paired differences.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Users are drawn with replacement;
all metrics of all models see the same draws, so differences are paired by construction.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError

RESAMPLES = 1000
"""Draws of all users; the 95 % ends of 1,000 draws vary by a few hundredths of the interval's width."""

LEVEL = 0.95
"""Share of the draws that an interval holds."""

_DRAW_BATCH_SIZE = 2_000_000
"""How many drawn users are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its interval."""

    mean: float
    low: float
    high: float
    users: int
    """How many users the mean is over."""

    def to_json(self) -> dict[str, Any]:
        """`mean` and `ci95`, as documents show it."""
        return {"mean": self.mean, "ci95": [self.low, self.high]}


def interval(
    values: NDArray[np.floating], *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Interval:
    """Mean of values `[n_users]` with its bootstrap interval; NaN entries are left out."""
    return intervals(np.asarray(values)[:, None], resamples=resamples, seed=seed, level=level)[0]


def paired_interval(
    values: NDArray[np.floating],
    others: NDArray[np.floating],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Mean of `values - others` over the users `[n_users]` that have both, with its bootstrap interval."""
    if values.shape != others.shape:
        raise EvaluationError(
            f"expected both models on the same users, received {values.shape} and {others.shape} values"
        )
    return interval(values - others, resamples=resamples, seed=seed, level=level)


def intervals(
    values: NDArray[np.floating], *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> list[Interval]:
    """One interval for each column of values `[n_users, n_metrics]`, all from the same draws.

    NaN entries are left out of their column's mean. A column without numbers gives NaN and 0 users.
    """
    # Only users that some column knows may be drawn, else a sparse column would seem surer than it is.
    values = values[~np.isnan(values).all(axis=1)]
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    counts = known.sum(axis=0)
    means = np.divide(filled.sum(axis=0), counts, out=np.full(len(counts), np.nan), where=counts > 0)
    drawn = _drawn_means(filled, known, resamples, seed)
    tail = (1 - level) / 2
    results = []
    for column, (mean, count) in enumerate(zip(means, counts, strict=True)):
        column_draws = drawn[:, column][~np.isnan(drawn[:, column])]
        low, high = np.quantile(column_draws, (tail, 1 - tail)) if len(column_draws) else (np.nan, np.nan)
        results.append(Interval(float(mean), float(low), float(high), int(count)))
    return results


def _drawn_means(
    filled: NDArray[np.float64], known: NDArray[np.bool_], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Column means of each draw `[resamples, n_metrics]`, NaN where a draw has no number in the column."""
    random = np.random.default_rng(seed)
    n = len(filled)
    if not n:
        return np.full((resamples, filled.shape[1]), np.nan)
    complete = bool(known.all())
    batch = max(1, _DRAW_BATCH_SIZE // n)
    means = []
    for start in range(0, resamples, batch):
        size = min(batch, resamples - start)
        drawn = random.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        sums = weights @ filled
        sizes = np.full(sums.shape, float(n)) if complete else weights @ known.astype(np.float64)
        means.append(np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0))
    return np.concatenate(means)
