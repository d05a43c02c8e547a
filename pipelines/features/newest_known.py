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


class FeatureRows:
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
        self._instants = np.sort(pc.unique(known_at).to_numpy())
        ranks = np.searchsorted(self._instants, known_at.to_numpy())
        numbers = keys.take(pa.array(found)).to_numpy() * np.int64(len(self._instants)) + ranks
        order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[order]
        self._known_at = known_at.to_numpy()[order]
        self._positions = found[order].astype(np.int32)
        cells = int(self._numbers[-1]) + 1 if len(order) else 0
        self._lasts: Positions | None = None
        if len(order) and cells <= CELLS_OF_A_ROW * (len(order) + lookups):
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
        lasts = firsts + np.searchsorted(self._instants, instants, side="right") - 1
        found = self._last_until(lasts)
        asking &= (lasts >= firsts) & (found >= 0) & (self._numbers[found] >= firsts)
        if ttl:
            asking &= instants - self._known_at[found] <= ttl // timedelta(microseconds=1)
        return np.where(asking, self._positions[found], UNKNOWN)

    def _last_until(self, numbers: Numbers) -> Numbers:
        """The place of the last row whose number is not greater, -1 where all are."""
        if self._lasts is None:
            return np.searchsorted(self._numbers, numbers, side="right") - 1
        return self._lasts[np.clip(numbers, 0, len(self._lasts) - 1)].astype(np.int64)
