"""Personal frequency and recency: what the user took often and lately, again."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in
from pipelines.training.data import Histories

LAST_BONUS = 1e-3
"""Share of an event's weight added for being the newest; half of it for the one before: it decides ties."""


@dataclass(frozen=True, slots=True)
class PersonalFrequency:
    """How often each user took each item, ties to the later one: the strong baseline of groceries."""

    n_items: int
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    half_life_days: float | None
    """Days after which an event counts half; None for never."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(cls, known: FitData, *, half_life_days: float | None = None, place_decay: float = 1.0) -> Self:
        """Nothing is learned: what counts is in the histories."""
        return cls(known.n_items, known.weights, half_life_days, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] decayed counts of the user's own items, 0 elsewhere."""
        frequency = interests_in(
            histories,
            self.n_items,
            self.weights,
            place_decay=self.place_decay,
            half_life_days=self.half_life_days,
        )
        recency = interests_in(histories, self.n_items, self.weights, place_decay=0.5)
        return np.asarray((frequency + LAST_BONUS * recency).toarray(), np.float32)
