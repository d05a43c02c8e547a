"""The one interface of everything that recommends: histories in, a score for every item out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.training.data import Histories

USER_BATCH_SIZE = 1_024
"""Most users that a recommender is asked about in one call: its memory grows with users times items."""


class Recommender(Protocol):
    """Scores all items for users by their histories, for users it was fitted on and for all others."""

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n_items] higher is better, 0 or less says nothing; the array is the caller's to change."""
        ...


@dataclass(frozen=True, slots=True)
class WithFallback:
    """A recommender that leaves to another one what it has nothing to say about."""

    first: Recommender
    then: Recommender

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n_items] the first one's scores where above 0, else the other's, scaled to lie below."""
        scores, others = self.first.scores(histories), self.then.scores(histories)
        said = scores > 0
        least = np.min(scores, axis=1, initial=np.inf, where=said, keepdims=True)
        most = np.maximum(np.max(others, axis=1, initial=0.0, keepdims=True), np.finfo(np.float32).tiny)
        scale = np.where(np.isinf(least), 1.0, least / (2 * most))
        return np.where(said, scores, np.maximum(others, 0) * scale).astype(np.float32, copy=False)
