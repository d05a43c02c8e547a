"""Popularity with time decay: the same list for everybody."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipelines.training.shop import Interactions

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Popularity:
    """What everybody took lately."""

    scores: npt.NDArray[np.float64]
    """[n] sum of event weight times 0.5 ** (age / half-life)."""

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        n_items: int,
        at_s: float,
        weights: npt.NDArray[np.float64],
        half_life_days: float = 30.0,
    ) -> Self:
        """Count interactions before `at_s`, newer ones for more.

        Args:
            interactions: Rows before `at_s`.
            n_items: Items of the catalogue.
            at_s: Unix seconds of the request.
            weights: [T + 1] weight of each type code; 0 stands for padding.
            half_life_days: Days after which an event counts half.
        """
        decay = np.exp2((interactions.times - at_s) / (half_life_days * DAY_S))
        strength = weights[interactions.types] * decay
        return cls(np.bincount(interactions.items, strength, n_items).astype(np.float64, copy=False))

    def recommend(self, users: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
        """[U, k] the most popular items, best first, for each of the users' rows."""
        return np.tile(top_items(self.scores, k), (len(users), 1))


def top_items(scores: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.int32]:
    """[k] the items of the highest scores above 0, best first, -1 behind them."""
    best = np.argsort(-scores, kind="stable")[:k]
    top = np.full(k, -1, np.int32)
    top[: len(best)] = np.where(scores[best] > 0, best, -1)
    return top
