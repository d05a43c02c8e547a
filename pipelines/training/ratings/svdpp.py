"""SVD++: biased matrix factorisation with implicit feedback (Koren, 2008), learned in blocks of users."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from pipelines.training.ratings.adam import Learned
from pipelines.training.ratings.biases import Biases
from pipelines.training.ratings.ratings_table import Floats, Integers, Ratings

BLOCK_RATINGS = 2_000
"""About so many ratings are learned from at once."""


@dataclass(frozen=True, slots=True)
class SvdPlusPlus:
    """rating(u, i) = mean + b_u + b_i + q_i . (p_u + sum of y_j over the n items that u rated / sqrt(n))."""

    mean: float
    user_biases: Floats
    """[n_users]"""
    item_biases: Floats
    """[n_items]"""
    users: Floats
    """[n_users, f] p_u plus the sum."""
    items: Floats
    """[n_items, f] q_i."""

    @classmethod
    def fit(
        cls,
        ratings: Ratings,
        *,
        factors: int = 50,
        epochs: int = 30,
        learning_rate: float = 0.01,
        regularization: float = 0.08,
        seed: int = 0,
    ) -> Self:
        """Minimise each rating's squared error plus `regularization` times its squared vectors and biases.

        Every step takes all ratings of some users, since the sum over what a user rated is part of each.

        Args:
            ratings: To learn from.
            factors: Length of the vectors.
            epochs: Passes over all users.
            learning_rate: Adam's, falling to a tenth by a cosine.
            regularization: Of biases and vectors.
            seed: Of the first vectors and of the order of users.
        """
        random = np.random.default_rng(seed)
        parameters = _Parameters.first(ratings, factors, random)
        values = sp.csr_matrix(
            (ratings.values, (ratings.users, ratings.items)), (ratings.n_users, ratings.n_items)
        )
        # A rating of 0 is a rating: the places are those of the ratings, whatever their values.
        values.sort_indices()
        n_blocks = max(1, round(len(ratings) / BLOCK_RATINGS))
        for epoch in range(epochs):
            rate = learning_rate * (0.1 + 0.45 * (1 + np.cos(np.pi * epoch / epochs)))
            for users in np.array_split(random.permutation(ratings.n_users), n_blocks):
                parameters.learn(users, values[users], regularization, rate)
        summed = parameters.users.values + _shared(values) @ parameters.implicit.values
        return cls(
            parameters.mean,
            parameters.user_biases.values[:, 0],
            parameters.item_biases.values[:, 0],
            summed,
            parameters.items.values,
        )

    def predict(self, users: Integers, items: Integers) -> Floats:
        """[P] the formula of the class."""
        dots = np.einsum("pf,pf->p", self.users[users], self.items[items])
        return np.asarray(self.mean + self.user_biases[users] + self.item_biases[items] + dots, np.float64)


@dataclass(frozen=True, slots=True)
class _Parameters:
    """Everything that is learned."""

    mean: float
    user_biases: Learned
    item_biases: Learned
    users: Learned
    items: Learned
    implicit: Learned

    @classmethod
    def first(cls, ratings: Ratings, factors: int, random: np.random.Generator) -> Self:
        """Shrunk biases and small random vectors."""
        biases = Biases.fit(ratings)

        def vectors(size: int) -> Learned:
            return Learned.of(random.normal(0, 0.1, (size, factors)))

        return cls(
            biases.mean,
            Learned.of(biases.of_users[:, None].copy()),
            Learned.of(biases.of_items[:, None].copy()),
            vectors(ratings.n_users),
            vectors(ratings.n_items),
            Learned.of(np.zeros((ratings.n_items, factors))),
        )

    def learn(self, users: Integers, values: sp.csr_matrix, regularization: float, rate: float) -> None:
        """One step on all ratings `[block, n_items]` of some users."""
        if values.nnz == 0:
            return
        counts, shared = np.diff(values.indptr)[:, None].astype(np.float64), _shared(values)
        rows, items = np.repeat(np.arange(len(users)), np.diff(values.indptr)), values.indices
        vectors = self.users.values[users] + shared @ self.implicit.values
        predicted = (
            self.mean
            + self.user_biases.values[users][rows, 0]
            + self.item_biases.values[items, 0]
            + np.einsum("rf,rf->r", vectors[rows], self.items.values[items])
        )
        errors = sp.csr_matrix((predicted - values.data, items, values.indptr), values.shape)
        met = np.unique(items)
        rated = np.bincount(items, minlength=values.shape[1])[met, None]
        # Each rating pulls all that its user rated towards 0, so an item counts by its users' sizes.
        held = np.bincount(items, counts[rows, 0], values.shape[1])[met, None]
        towards = errors @ self.items.values
        steps = {
            "user_biases": (users, np.asarray(errors.sum(axis=1)), counts),
            "item_biases": (met, np.asarray(errors.sum(axis=0)).T[met], rated),
            "users": (users, towards, counts),
            "items": (met, (errors.T @ vectors)[met], rated),
            "implicit": (met, (shared.T @ towards)[met], held),
        }
        for name, (places, gradients, weight) in steps.items():
            learned: Learned = getattr(self, name)
            pull = regularization * weight * learned.values[places]
            learned.step(places, (gradients + pull) / values.nnz, rate)


def _shared(values: sp.csr_matrix) -> sp.csr_matrix:
    """1 / sqrt(n) at each of the n items that a user rated."""
    counts = np.diff(values.indptr)
    shares = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
    return sp.csr_matrix((shares, values.indices, values.indptr), values.shape)
