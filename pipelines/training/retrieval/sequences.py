"""Training sequences: all users' events on one tape, cut into full rows, so that nothing is padding.

What an event is to foretell is drawn from the user's next moment: the events of the next later instant, which
is the next single event of a browser and the next basket of a shopper.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipelines.training.shop import Interactions

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Tape:
    """The events after which something came; rows of one `Interactions` ordered by user and time."""

    events: Interactions
    rows: npt.NDArray[np.int64]
    """[T] rows of the events that have a next moment."""
    next_starts: npt.NDArray[np.int64]
    """[T] first event of the next moment."""
    next_ends: npt.NDArray[np.int64]
    """[T] first event behind the next moment."""

    @classmethod
    def of(cls, events: Interactions) -> Self:
        """Every user's events but those of the last moment, which nothing followed."""
        users, times = events.users, events.times
        begins = np.ones(len(events), bool)
        begins[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
        firsts = np.append(np.flatnonzero(begins), len(events))
        moments = np.cumsum(begins) - 1
        starts = firsts[moments + 1]
        followed = starts < len(events)
        followed[followed] = users[starts[followed]] == users[followed]
        rows = np.flatnonzero(followed)
        return cls(events, rows, starts[rows], firsts[moments[rows] + 2])

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, length: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """[R, length] places on the tape, users in a new order and cut at other events every time.

        Fewer events than one row are repeated until it is full.
        """
        turns = rng.permutation(int(self.events.users.max(initial=0)) + 1)[self.events.users[self.rows]]
        order = np.roll(np.argsort(turns, kind="stable"), int(rng.integers(length)))
        if len(order) < length:
            order = np.resize(order, length)
        rows = order[: len(order) // length * length].reshape(-1, length)
        return rng.permutation(rows)

    def batch(self, places: npt.NDArray[np.int64], rng: np.random.Generator) -> Arrays:
        """What the model sees of places `[B, L]` on the tape, and an item to foretell at each."""
        events, rows = self.events, self.rows[places]
        users, times = events.users[rows], events.times[rows]
        index = np.arange(rows.shape[1])
        begins = np.ones(rows.shape, bool)
        begins[:, 1:] = (users[:, 1:] != users[:, :-1]) | (rows[:, 1:] <= rows[:, :-1])
        first = np.maximum.accumulate(np.where(begins, index, 0), axis=1)
        gaps = np.zeros(rows.shape, np.int64)
        gaps[:, 1:] = np.where(begins[:, 1:], 0, times[:, 1:] - times[:, :-1])
        width = self.next_ends[places] - self.next_starts[places]
        drawn = self.next_starts[places] + (rng.random(rows.shape) * width).astype(np.int64)
        return {
            "items": events.items[rows],
            "types": events.types[rows],
            "gaps_s": gaps.astype(np.float32),
            "positions": (index - first).astype(np.int32),
            "segments": np.cumsum(begins, axis=1).astype(np.int32),
            "times_s": (times - times.min()).astype(np.int32),
            "targets": events.items[drawn],
        }
