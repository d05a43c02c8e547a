"""Adam on some rows of a matrix at a time (Kingma and Ba, 2015)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.training.ratings.ratings_table import Floats, Integers

FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.99, 1e-8
"""How long the means of gradients and of their squares remember."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A matrix of parameters with the memory of its gradients; rows without gradient stay as they are."""

    values: Floats
    """[n, f]"""
    first: Floats
    """[n, f] mean gradients."""
    second: Floats
    """[n, f] mean squared gradients."""
    steps: Floats
    """[n, 1] steps that each row took."""

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Parameters that start with these values."""
        return cls(values, np.zeros_like(values), np.zeros_like(values), np.zeros((len(values), 1)))

    def step(self, rows: Integers | slice, gradients: Floats, rate: float) -> None:
        """Go against the gradients `[rows, f]` of some distinct rows."""
        self.steps[rows] += 1
        self.first[rows] += (1 - FIRST_DECAY) * (gradients - self.first[rows])
        self.second[rows] += (1 - SECOND_DECAY) * (gradients**2 - self.second[rows])
        first = self.first[rows] / (1 - FIRST_DECAY ** self.steps[rows])
        second = self.second[rows] / (1 - SECOND_DECAY ** self.steps[rows])
        self.values[rows] -= rate * first / (np.sqrt(second) + TINY)
