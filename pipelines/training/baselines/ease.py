"""EASE: a linear model of items on items with a closed form (Steck, 2019)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from pipelines.errors import TrainingError
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in, interests_of, presence
from pipelines.training.data import Histories

MOST_ITEMS = 20_000
"""Items with events beyond which the dense matrix is refused: 1.6 GB here, and time grows by the cube."""


@dataclass(frozen=True, slots=True)
class Ease:
    """Item-to-item weights that best explain each user's items by the user's others."""

    items: npt.NDArray[np.int64]
    """[m] the items that have events."""
    effects: npt.NDArray[np.float32]
    """[m, m] row i holds what having item i says about the others; the diagonal is 0."""
    n_items: int
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(cls, known: FitData, *, regularization: float = 200.0, place_decay: float = 1.0) -> Self:
        """Solve `B = I - P diag(1 / diag(P))`, with P the inverse of `X'X + regularization * I`.

        Raises:
            TrainingError: More items have events than fit.
        """
        taken = presence(interests_of(known))
        items = np.flatnonzero(taken.getnnz(axis=0))
        if len(items) > MOST_ITEMS:
            raise TrainingError(
                f"expected at most {MOST_ITEMS} items with events for EASE, received {len(items)}; "
                "leave it out of the field"
            )
        taken = taken[:, items]
        gram = np.asfortranarray((taken.T @ taken).toarray())
        gram[np.diag_indices_from(gram)] += np.float32(regularization)
        factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
        inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
        if failed or failed_too:
            raise TrainingError(
                f"expected X'X + {regularization} I to be positive definite, LAPACK says "
                f"{failed or failed_too}; choose a larger regularization"
            )
        _mirror(inverse)
        effects = inverse.T  # The same matrix, row by row: what products with sparse rows want.
        effects /= -np.diagonal(effects).copy()
        np.fill_diagonal(effects, 0)
        return cls(items, effects, known.n_items, known.weights, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] sums over the history of each item's effects."""
        had = interests_in(histories, self.n_items, self.weights, place_decay=self.place_decay)
        if self.place_decay == 1.0:
            had = presence(had)
        scores = np.zeros((len(histories), self.n_items), np.float32)
        scores[:, self.items] = had[:, self.items] @ self.effects
        return scores


def _mirror(lower: npt.NDArray[np.float32], step: int = 512) -> None:
    """Copy the lower triangle onto the upper one, in place, a strip at a time."""
    for start in range(0, len(lower), step):
        end = start + step
        lower[start:end, end:] = lower[end:, start:end].T
        block = lower[start:end, start:end]
        block[:] = np.tril(block) + np.tril(block, -1).T
