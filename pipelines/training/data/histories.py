"""Histories: what each of many users had done when a list was asked for, as one compressed table."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipelines.training.data.interactions import Interactions


@dataclass(frozen=True, slots=True)
class Histories:
    """B users' known events, oldest first: user b's are the rows `indptr[b]` to `indptr[b + 1]`."""

    users: npt.NDArray[np.int64]
    """[B] rows of the users in the shop; -1 for one that no model was fitted on."""
    at_s: npt.NDArray[np.int64]
    """[B] unix seconds of the requests."""
    indptr: npt.NDArray[np.int64]
    """[B + 1]"""
    items: npt.NDArray[np.int32]
    """[E] item indices."""
    types: npt.NDArray[np.int32]
    """[E] 1-based codes of event types."""
    times: npt.NDArray[np.int64]
    """[E] unix seconds."""

    def __len__(self) -> int:
        return len(self.users)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """[B] events of each user."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """[E] which of the B users each event is of."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """[E] how many later events of the same user there are: 0 for the newest."""
        return np.repeat(self.indptr[1:], self.sizes) - 1 - np.arange(len(self.items))

    @classmethod
    def of(
        cls,
        interactions: Interactions,
        users: npt.NDArray[np.int64],
        at_s: npt.NDArray[np.int64],
    ) -> Self:
        """The events of `users` `[B]` before each one's `at_s` `[B]` (exclusive)."""
        starts = np.searchsorted(interactions.users, users, "left")
        ends = np.searchsorted(interactions.users, users, "right")
        wanted = _spans(starts, ends)
        rows = np.repeat(np.arange(len(users)), ends - starts)
        before = interactions.times[wanted] < at_s[rows]
        wanted, rows = wanted[before], rows[before]
        indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(users)))))
        return cls(
            users,
            at_s,
            indptr,
            interactions.items[wanted],
            interactions.types[wanted],
            interactions.times[wanted],
        )

    def take(self, chosen: npt.NDArray[Any] | slice) -> Self:
        """Some of the users, in the order chosen."""
        places = np.arange(len(self))[chosen]
        wanted = _spans(self.indptr[places], self.indptr[places + 1])
        indptr = np.concatenate(([0], np.cumsum(self.sizes[places])))
        return type(self)(
            self.users[places],
            self.at_s[places],
            indptr,
            self.items[wanted],
            self.types[wanted],
            self.times[wanted],
        )

    def latest(self, length: int) -> npt.NDArray[np.int64]:
        """[B, length] rows of the last events, newest first, -1 behind them."""
        rows = self.indptr[1:, None] - 1 - np.arange(length)
        return np.where(rows >= self.indptr[:-1, None], rows, -1)


def _spans(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The integers from each start to its end, one span behind the other."""
    sizes = ends - starts
    return np.repeat(ends - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
