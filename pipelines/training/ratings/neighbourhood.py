"""kNN with baselines: what similar items (or users) got beyond what biases explain (Koren, 2010)."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import scipy.sparse as sp

from pipelines.training.baselines import largest_of_rows, presence
from pipelines.training.ratings.biases import Biases
from pipelines.training.ratings.ratings_table import Floats, Integers, Ratings

Over = Literal["items", "users"]

BLOCK_VALUES = 4_000_000
"""Similarities computed at once."""

KEPT = 500
"""Most similar ones kept of each; the neighbours of a pair are those of them with a rating."""

PAIRS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Similar items, and the residuals of all ratings; or similar users, and the same turned around."""

    biases: Biases
    similarities: sp.csr_matrix
    """[n, n] above 0, of items (or users)."""
    residuals: sp.csr_matrix
    """[m, n] of users by items (or items by users)."""
    over: Over
    neighbours: int
    """Ratings that a prediction is made from."""
    doubt: float
    """Similarity's worth of residuals of 0, so that few neighbours say little."""

    @classmethod
    def fit(
        cls,
        ratings: Ratings,
        *,
        over: Over = "items",
        neighbours: int = 40,
        shrinkage: float = 60.0,
        doubt: float = 0.3,
    ) -> Self:
        """Find who is rated alike (or rates alike).

        similarity = sum(xy) / sqrt(sum(xx) sum(yy)) * common / (common + shrinkage)

        with the sums over common ratings, of residuals x and y.

        Args:
            ratings: To learn from.
            over: What the neighbours are.
            neighbours: Most neighbours of a prediction.
            shrinkage: Common ratings' worth of doubt.
            doubt: See the attribute.
        """
        biases = Biases.fit(ratings)
        residuals = biases.residuals(ratings)
        residuals = residuals if over == "items" else sp.csr_matrix(residuals.T)
        similarities = _similarities(sp.csr_matrix(residuals.T), shrinkage)
        return cls(biases, similarities, residuals, over, neighbours, doubt)

    def predict(self, users: Integers, items: Integers) -> Floats:
        """[P] biases plus the neighbours' mean residual, weighted by similarity."""
        predicted = self.biases.predict(users, items)
        rows, columns = (users, items) if self.over == "items" else (items, users)
        for start in range(0, len(users), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            held = self.residuals[rows[part]]
            near = sp.csr_matrix(self.similarities[columns[part]].multiply(presence(held)))
            near = largest_of_rows(near, self.neighbours)
            said = np.asarray(near.multiply(held).sum(axis=1)).ravel()
            weight = np.asarray(near.sum(axis=1)).ravel()
            predicted[part] += said / (weight + self.doubt)
        return predicted


def _similarities(vectors: sp.csr_matrix, shrinkage: float) -> sp.csr_matrix:
    """[n, n] the largest `KEPT` similarities above 0 of each row of residuals `[n, m]`, itself left out."""
    n_rows = vectors.shape[0]
    turned, there = sp.csr_matrix(vectors.T), presence(vectors)
    squares, there_turned = vectors.multiply(vectors).tocsr(), sp.csr_matrix(there.T)
    squares_turned = sp.csr_matrix(squares.T)
    step = max(1, BLOCK_VALUES // max(n_rows, 1))
    blocks = [sp.csr_matrix((0, n_rows))]
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        common = (there[part] @ there_turned).toarray()
        lengths = (squares[part] @ there_turned).toarray() * (there[part] @ squares_turned).toarray()
        dots = (vectors[part] @ turned).toarray()
        similar = np.divide(dots, np.sqrt(lengths), out=np.zeros_like(dots), where=lengths > 0)
        similar *= common / (common + shrinkage)
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = 0
        blocks.append(largest_of_rows(sp.csr_matrix(np.maximum(similar, 0)), KEPT))
    return sp.vstack(blocks, "csr")
