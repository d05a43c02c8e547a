"""Training sequences: all users' events on one tape, cut into full rows, so that nothing is padding.

Events of one user and instant are a moment: a shopper's basket, or what a log of whole days or seconds cannot
tell apart. From a moment two things are to be learned: what the next one brings, given all of it, and what
else it holds, given its first events, as a visitor is asked for a list after each of them.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipelines.training.data import Interactions

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PackedSequences:
    """The events behind which there are others; rows of one `Interactions` ordered by user and time."""

    events: Interactions
    rows: npt.NDArray[np.int64]
    """[T] rows of the events that are not their user's last."""
    own_ends: npt.NDArray[np.int64]
    """[T] first event behind the event's own moment."""
    next_ends: npt.NDArray[np.int64]
    """[T] first event behind the user's next moment; `own_ends` where there is none."""

    @classmethod
    def of(cls, events: Interactions) -> Self:
        """Every user's events but the last one, which nothing followed."""
        users, times = events.users, events.times
        begins = np.ones(len(events), bool)
        begins[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
        firsts = np.append(np.flatnonzero(begins), len(events))
        rows = np.flatnonzero(users[1:] == users[:-1])
        moments = np.cumsum(begins)[rows] - 1
        own_ends = firsts[moments + 1]
        goes_on = np.append(users, -1)[own_ends] == users[rows]
        return cls(
            events,
            rows,
            own_ends,
            np.where(goes_on, firsts[np.minimum(moments + 2, len(firsts) - 1)], own_ends),
        )

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

    def batch(
        self, places: npt.NDArray[np.int64], rng: np.random.Generator, sequential_basket_share: float
    ) -> Arrays:
        """What the model sees of places `[B, L]` on the tape, and an item to foretell at each.

        Args:
            places: On the tape.
            rng: Of the draws.
            sequential_basket_share: Share of multi-event baskets trained event by event: each event sees
                the earlier ones only and predicts a later one. In the others all events see each other and
                predict the next basket. A user's last basket is always trained event by event.
        """
        events, rows = self.events, self.rows[places]
        users, times = events.users[rows], events.times[rows]
        index = np.arange(rows.shape[1])
        begins = np.ones(rows.shape, bool)
        begins[:, 1:] = (users[:, 1:] != users[:, :-1]) | (rows[:, 1:] <= rows[:, :-1])
        first = np.maximum.accumulate(np.where(begins, index, 0), axis=1)
        gaps = np.zeros(rows.shape, np.int64)
        gaps[:, 1:] = np.where(begins[:, 1:], 0, times[:, 1:] - times[:, :-1])
        own_ends, next_ends = self.own_ends[places], self.next_ends[places]
        ends, moment = np.unique(own_ends, return_inverse=True)
        alone = (rng.random(len(ends)) < sequential_basket_share)[moment.reshape(rows.shape)] | (
            next_ends == own_ends
        )
        opens = begins.copy()
        opens[:, 1:] |= alone[:, 1:] | (own_ends[:, 1:] != own_ends[:, :-1])
        inside = alone & (rows + 1 < own_ends)
        starts, stops = np.where(inside, rows + 1, own_ends), np.where(inside, own_ends, next_ends)
        drawn = starts + (rng.random(rows.shape) * (stops - starts)).astype(np.int64)
        return {
            "items": events.items[rows],
            "types": events.types[rows],
            "gaps_s": gaps.astype(np.float32),
            "positions": (index - first).astype(np.int32),
            "segments": np.cumsum(begins, axis=1).astype(np.int32),
            "moments": np.maximum.accumulate(np.where(opens, index, 0), axis=1).astype(np.int32),
            "targets": events.items[drawn],
        }
