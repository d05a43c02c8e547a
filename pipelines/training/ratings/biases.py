"""Biases: how far users and items lie from the mean rating, the baseline estimate of Koren (2010)."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import scipy.sparse as sp

from pipelines.training.ratings.ratings_table import Floats, Integers, Ratings


class RatingModel(Protocol):
    """Predicts ratings of pairs of user and item."""

    def predict(self, users: Integers, items: Integers) -> Floats:
        """[P] ratings, not yet clipped to the scale."""
        ...


@dataclass(frozen=True, slots=True)
class Biases:
    """Mean rating, and the shrunk deviation of every user and item from it."""

    mean: float
    of_users: Floats
    """[n_users] 0 for users without ratings."""
    of_items: Floats
    """[n_items] 0 for items without ratings."""

    @classmethod
    def fit(
        cls, ratings: Ratings, *, user_doubt: float = 5.0, item_doubt: float = 3.0, rounds: int = 10
    ) -> Self:
        """Least squares with as many doubts as ratings of the mean, by turns.

        Args:
            ratings: To learn from.
            user_doubt: Ratings' worth of doubt in a user's bias.
            item_doubt: Ratings' worth of doubt in an item's bias.
            rounds: Turns of users and items.
        """
        mean = float(ratings.values.mean())
        of_users, of_items = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
        rated_by = np.bincount(ratings.users, minlength=ratings.n_users) + user_doubt
        ratings_of = np.bincount(ratings.items, minlength=ratings.n_items) + item_doubt
        for _ in range(rounds):
            rest = ratings.values - mean - of_users[ratings.users]
            of_items = np.bincount(ratings.items, rest, ratings.n_items) / ratings_of
            rest = ratings.values - mean - of_items[ratings.items]
            of_users = np.bincount(ratings.users, rest, ratings.n_users) / rated_by
        return cls(mean, of_users, of_items)

    def predict(self, users: Integers, items: Integers) -> Floats:
        """[P] mean + user's bias + item's bias."""
        return np.asarray(self.mean + self.of_users[users] + self.of_items[items], np.float64)

    def residuals(self, ratings: Ratings) -> sp.csr_matrix:
        """[n_users, n_items] what the biases leave of each rating; where it is 0, it is no longer stored."""
        rest = ratings.values - self.predict(ratings.users, ratings.items)
        return sp.csr_matrix((rest, (ratings.users, ratings.items)), (ratings.n_users, ratings.n_items))
