"""Personal frequency: what the user took most often, again. The strong baseline of groceries."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipelines.training.shop import Interactions


@dataclass(frozen=True, slots=True)
class PersonalFrequency:
    """How often each user took each item; ties go to the later one."""

    indptr: npt.NDArray[np.int64]
    """[n_users + 1] where each user's items begin."""
    items: npt.NDArray[np.int32]
    """Distinct items of each user, best first."""

    @classmethod
    def fit(
        cls, interactions: Interactions, n_users: int, n_items: int, weights: npt.NDArray[np.float64]
    ) -> Self:
        """Count each user's interactions with each item.

        Args:
            interactions: Rows before the request.
            n_users: Rows of users.
            n_items: Items of the catalogue.
            weights: [T + 1] weight of each type code; 0 stands for padding.
        """
        pairs = interactions.users * np.int64(n_items) + interactions.items
        distinct, inverse = np.unique(pairs, return_inverse=True)
        frequency = np.bincount(inverse, weights[interactions.types], len(distinct))
        latest = np.zeros(len(distinct), np.int64)
        np.maximum.at(latest, inverse, interactions.times)
        users, items = np.divmod(distinct, n_items)
        order = np.lexsort((-latest, -frequency, users))
        return cls(np.searchsorted(users, np.arange(n_users + 1)), items[order].astype(np.int32))

    def recommend(self, users: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
        """[U, k] each user's own items, best first, -1 behind them."""
        places = self.indptr[users][:, None] + np.arange(k)
        inside = places < self.indptr[np.asarray(users) + 1][:, None]
        if len(self.items) == 0:
            return np.full(places.shape, -1, np.int32)
        return np.where(inside, self.items[np.minimum(places, len(self.items) - 1)], -1).astype(np.int32)
