"""Linear regression on what is known of a pair: means, counts, profiles, and how they went together."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.training.ratings.biases import Biases
from pipelines.training.ratings.means import Means
from pipelines.training.ratings.ratings_table import Floats, Integers, Ratings

PARTS = 5
"""Parts of the ratings, each explained by the others."""


@dataclass(frozen=True, slots=True)
class FitData:
    """What pairs are described by: means over all ratings, and the descriptions of users and items."""

    biases: Biases
    users: Means
    """The users' mean deviations from the overall mean."""
    items: Means
    """The items' mean deviations."""
    users_by_feature: Means
    """The users' mean residuals on items that hold a feature."""
    items_by_feature: Means
    """The items' mean residuals with users that hold a feature."""
    user_features: Floats
    item_features: Floats

    @classmethod
    def of(cls, ratings: Ratings) -> Self:
        """Count the ratings."""
        biases = Biases.fit(ratings)
        deviations = ratings.values - biases.mean
        # Of a number, such as an age, a mean is made of those above the average.
        residuals = ratings.values - biases.predict(ratings.users, ratings.items)
        alone = np.ones((len(ratings), 1))
        of_users, of_items = ratings.user_features[ratings.users], ratings.item_features[ratings.items]
        return cls(
            biases,
            Means.of(ratings.users, deviations, alone, ratings.n_users),
            Means.of(ratings.items, deviations, alone, ratings.n_items),
            Means.of(ratings.users, residuals, np.maximum(of_items, 0), ratings.n_users),
            Means.of(ratings.items, residuals, np.maximum(of_users, 0), ratings.n_items),
            ratings.user_features,
            ratings.item_features,
        )

    def columns(self, users: Integers, items: Integers) -> Floats:
        """[P, D] what is known of the pairs."""
        alone = np.ones((len(users), 1))
        of_users, of_items = self.user_features[users], self.item_features[items]
        user, item = self.users.at(users, alone), self.items.at(items, alone)
        taste = self.users_by_feature.at(users, np.maximum(of_items, 0))
        liking = self.items_by_feature.at(items, np.maximum(of_users, 0))
        sizes = self.users.sizes(users), self.items.sizes(items)
        # A mean says more the more ratings it is of.
        told = [user, item, user * item, taste, liking, *sizes, user * sizes[0], item * sizes[1]]
        return np.concatenate([np.stack(told, axis=1), of_users, of_items], axis=1)


@dataclass(frozen=True, slots=True)
class Linear:
    """Ridge regression over the columns."""

    known: FitData
    coefficients: Floats
    """[D]"""
    center: Floats
    """[D] means of the columns."""
    scale: Floats
    """[D] spreads of the columns."""

    @classmethod
    def fit(cls, ratings: Ratings, *, regularization: float = 10.0) -> Self:
        """Least squares on standardised columns, each coefficient held towards 0.

        A rating is explained by what the ratings of other parts say: a mean that it is in would give it away,
        and one that it alone is missing from would, too.
        """
        parts = np.arange(len(ratings)) % PARTS
        halves = [
            (FitData.of(ratings.rows(parts != part)), ratings.rows(parts == part)) for part in range(PARTS)
        ]
        columns = np.concatenate([known.columns(part.users, part.items) for known, part in halves])
        known, values = FitData.of(ratings), np.concatenate([part.values for _, part in halves])
        center, scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-9)
        standard = (columns - center) / scale
        gram = standard.T @ standard + regularization * np.eye(standard.shape[1])
        coefficients = np.linalg.solve(gram, standard.T @ (values - known.biases.mean))
        return cls(known, coefficients, center, scale)

    def predict(self, users: Integers, items: Integers) -> Floats:
        """[P] the mean plus what the columns say."""
        standard = (self.known.columns(users, items) - self.center) / self.scale
        return np.asarray(self.known.biases.mean + standard @ self.coefficients, np.float64)
