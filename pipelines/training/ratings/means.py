"""Mean residuals of users by what items hold, and of items by what users hold."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.training.ratings.ratings_table import Floats, Integers

DOUBT = 5.0
"""Ratings' worth of doubt in a mean."""


@dataclass(frozen=True, slots=True)
class Means:
    """Sums and counts of residuals by row and feature."""

    totals: Floats
    """[n, G]"""
    counts: Floats
    """[n, G]"""

    @classmethod
    def of(cls, rows: Integers, residuals: Floats, held: Floats, n_rows: int) -> Self:
        """Of the residuals `[R]` at `rows` `[R]`, each counted under the features that it holds `[R, G]`."""
        totals, counts = np.zeros((n_rows, held.shape[1])), np.zeros((n_rows, held.shape[1]))
        for place in range(held.shape[1]):
            totals[:, place] = np.bincount(rows, residuals * held[:, place], n_rows)
            counts[:, place] = np.bincount(rows, held[:, place], n_rows)
        return cls(totals, counts)

    def at(self, rows: Integers, held: Floats) -> Floats:
        """[P] the shrunk means of the rows `[P]`, averaged over the features that the pairs hold `[P, G]`."""
        means = (held * self.totals[rows] / (self.counts[rows] + DOUBT)).sum(axis=1)
        return np.asarray(means / np.maximum(held.sum(axis=1), 1), np.float64)

    def sizes(self, rows: Integers) -> Floats:
        """[P] log(1 + ratings) of the rows under the first feature."""
        return np.asarray(np.log1p(self.counts[rows, 0]), np.float64)
