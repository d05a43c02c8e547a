"""Which row of each key was the newest that was known at an instant, by a search among sorted numbers.

Key and instant of a feature row become one number: the number of the key, then the rank of the instant among
all instants of the feature rows. The newest row known is the last whose number is not beyond that of the
entity row. It is what DuckDB's ASOF join finds, without sorting the entity rows.
"""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN = -1
"""Position where nothing was known."""

ROWS_AT_ONCE = 65_536
"""Entity rows that are looked for at a time: what is computed on the way stays in the processor's caches."""

CELLS_OF_A_ROW = 4
"""Up to so many numbers for each row, the place of every number is written down instead of searched."""

Numbers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]


class AsofIndex:
    """The rows of one feature table, in the order of their keys and instants."""

    def __init__(
        self, keys: pa.Array, known_at: pa.Array, created_at: pa.Array | None = None, *, lookups: int = 0
    ) -> None:
        """Sort the rows.

        Args:
            keys: Keys as numbers from zero on; a row without one is never found.
            known_at: Instants from which the rows were known, in microseconds; a row without one is never
                found.
            created_at: Of rows known from one instant the one created last is found; null comes first.
            lookups: How many entity rows are going to be looked for.
        """
        found = np.flatnonzero(pc.and_(keys.is_valid(), known_at.is_valid()).to_numpy(zero_copy_only=False))
        if created_at is not None:
            created = created_at.take(pa.array(found))
            found = found[pc.array_sort_indices(created, null_placement="at_start").to_numpy()]
        known_at = known_at.take(pa.array(found))
        most_cells = CELLS_OF_A_ROW * (len(found) + lookups)
        self._instants = Instants(np.sort(pc.unique(known_at).to_numpy()), most_cells)
        ranks = self._instants.ranks(known_at.to_numpy())
        numbers = keys.take(pa.array(found)).to_numpy() * np.int64(len(self._instants)) + ranks
        order = _stable_order(numbers)
        self._numbers = numbers.take(order)
        self._known_at = known_at.to_numpy().take(order)
        self._positions = found.take(order).astype(np.int32)
        cells = int(self._numbers[-1]) + 1 if len(order) else 0
        self._lasts: Positions | None = None
        if len(order) and cells <= most_cells:
            steps = np.diff(self._numbers, prepend=0, append=cells)
            self._lasts = np.repeat(np.arange(-1, len(order), dtype=np.int32), steps)

    def newest(self, keys: pa.Array, at: pa.Array, ttl: timedelta | None = None) -> Positions:
        """Return the number of the row that each entity row finds, -1 where there is none.

        Args:
            keys: Keys of the entity rows, as the same numbers; null finds nothing.
            at: Instants of the entity rows, in microseconds; null finds nothing.
            ttl: Age beyond which a row no longer counts; None or zero: never.
        """
        positions = np.full(len(keys), UNKNOWN, np.int32)
        if not len(self._positions):
            return positions
        for start in range(0, len(keys), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            positions[some] = self._newest(keys[some], at[some], ttl)
        return positions

    def _newest(self, keys: pa.Array, at: pa.Array, ttl: timedelta | None) -> Positions:
        asking = pc.and_(keys.is_valid(), at.is_valid()).to_numpy(zero_copy_only=False)
        instants = at.fill_null(0).to_numpy()
        firsts = keys.fill_null(0).to_numpy() * np.int64(len(self._instants))
        lasts = firsts + self._instants.ranks(instants)
        found = self._last_until(lasts)
        asking &= (lasts >= firsts) & (found >= 0) & (self._numbers.take(found, mode="clip") >= firsts)
        if ttl:
            age = instants - self._known_at.take(found, mode="clip")
            asking &= age <= ttl // timedelta(microseconds=1)
        return np.where(asking, self._positions.take(found, mode="clip"), UNKNOWN)

    def _last_until(self, numbers: Numbers) -> Numbers:
        """The place of the last row whose number is not greater, -1 where all are."""
        if self._lasts is None:
            return np.searchsorted(self._numbers, numbers, side="right") - 1
        lasts: Numbers = self._lasts.take(numbers, mode="clip").astype(np.int64)
        return lasts


def _stable_order(numbers: Numbers) -> Numbers:
    """The places of these numbers in ascending order; those of equal ones in theirs."""
    count = len(numbers)
    if numbers.max(initial=0) >= np.iinfo(np.int64).max // max(1, count):
        return np.argsort(numbers, kind="stable")
    # Number and place as one number: sorting values is several times faster than sorting places by them.
    packed = numbers * count + np.arange(count)
    packed.sort()
    return packed % max(1, count)


class Instants:
    """Different instants in their order.

    Days or hours lie on a grid: the rank of each of its points is written down. Others are searched.
    """

    def __init__(self, instants: Numbers, most_points: int) -> None:
        """Lay the grid.

        Args:
            instants: In ascending order, in microseconds.
            most_points: Points of a grid that is worth laying.
        """
        self._instants = instants
        self._ranks: Positions | None = None
        if not len(instants):
            return
        self._step = int(np.gcd.reduce(np.diff(instants))) or 1
        if (int(instants[-1]) - int(instants[0])) // self._step < most_points:
            points = (instants - instants[0]) // self._step
            steps = np.diff(points, prepend=-1, append=points[-1] + 1)
            self._ranks = np.repeat(np.arange(-1, len(instants), dtype=np.int32), steps)

    def __len__(self) -> int:
        return len(self._instants)

    def ranks(self, at: Numbers) -> Numbers:
        """Return the rank of the last instant that is not later than each of these, -1 where all are."""
        if self._ranks is None:
            return np.searchsorted(self._instants, at, side="right") - 1
        points = (at - self._instants[0]) // self._step
        ranks: Numbers = self._ranks.take(points + 1, mode="clip").astype(np.int64)
        return ranks
