"""Popularity with time decay: the same list for everybody."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import DAY_S
from pipelines.training.data import Histories, Interactions

DAMPING = 0.25
"""Of a release: who did sixteen times as much counts eight times as much, not sixteen times.

A few users do most of what is done in a shop, and a user of whom nothing is known is rarely like them.
"""


@dataclass(frozen=True, slots=True)
class Popularity:
    """What everybody took lately."""

    values: npt.NDArray[np.float64]
    """[n] as `popularity_at` counts."""

    @classmethod
    def fit(cls, known: FitData, *, half_life_days: float | None = 30.0, damping: float = 0.0) -> Self:
        """Count the known events, newer ones for more; undamped, the newest of all counts whole."""
        events = known.interactions
        now_s = float(events.times.max(initial=0))
        return cls(popularity_at(events, known.n_items, now_s, known.weights, half_life_days, damping))

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] the same values for everybody."""
        return np.tile(self.values.astype(np.float32), (len(histories), 1))


def popularity_at(
    interactions: Interactions,
    n_items: int,
    at_s: float,
    weights: npt.NDArray[np.float64],
    half_life_days: float | None = 30.0,
    damping: float = DAMPING,
) -> npt.NDArray[np.float64]:
    """[n] how popular items are: the sum of what users' events count.

    An event counts its weight times 0.5 ** (age / half-life), divided by the sum of that over all events of
    its user ** damping: all events of a user together count that sum ** (1 - damping).

    Args:
        interactions: Rows before `at_s`.
        n_items: Items of the catalogue.
        at_s: Unix seconds of the request.
        weights: [T + 1] weight of each type code; 0 stands for padding.
        half_life_days: Days after which an event counts half; None for never.
        damping: 0 counts events alone, with 1 every user counts the same.
    """
    strength = weights[interactions.types]
    if half_life_days is not None:
        strength = strength * np.exp2((interactions.times - at_s) / (half_life_days * DAY_S))
    if damping:
        of_users = np.bincount(interactions.users, strength)
        strength = strength / np.where(of_users > 0, of_users, 1.0)[interactions.users] ** damping
    return np.bincount(interactions.items, strength, n_items).astype(np.float64, copy=False)
