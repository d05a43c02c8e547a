"""Blending: predicted ratings of several models, weighted by least squares on ratings that none has seen."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.training.ratings.ratings_table import Floats

HELD_TOWARDS_MEAN = 1.0
"""Strength with which the weights are held towards equal ones, in ratings' worth of variance."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A weight for each model, and a constant."""

    weights: Floats
    """[M]"""
    constant: float

    @classmethod
    def fit(cls, predicted: Floats, values: Floats) -> Self:
        """Ridge regression of the ratings on the predictions, towards their plain mean.

        Args:
            predicted: [P, M] of M models.
            values: [P] the ratings.
        """
        n_models = predicted.shape[1]
        center = predicted.mean(axis=0)
        spread = predicted - center
        equal = np.full(n_models, 1 / n_models)
        left = spread.T @ spread + HELD_TOWARDS_MEAN * np.eye(n_models)
        right = spread.T @ (values - values.mean() - spread @ equal)
        weights = equal + np.linalg.solve(left, right)
        return cls(weights, float(values.mean() - center @ weights))

    def predict(self, predicted: Floats) -> Floats:
        """[P] the blended ratings."""
        return np.asarray(predicted @ self.weights + self.constant, np.float64)
