"""Which rows of a feature table an answer asks for, and where each of its rows finds its own among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.features.offline_store.asof_search import UNKNOWN, Positions

ROWS_AT_ONCE = 131_072
"""Rows of an answer in one part."""


@dataclass(frozen=True, slots=True)
class TakeIndices:
    """Numbers of values, one for each row of a part; worked out once for all columns."""

    numbers: pa.Array
    """Null where there is none."""

    filled: pa.Array
    """The same, with 0 in place of null."""

    known: pa.Buffer | None
    """Which are not null, as Arrow writes it; None: all."""

    def in_pieces(self, rows_at_once: int) -> list[pa.Array]:
        """The numbers in pieces of so many rows, at least one piece."""
        starts = range(0, max(1, len(self.numbers)), rows_at_once)
        return [self.numbers.slice(start, rows_at_once) for start in starts]


@dataclass(frozen=True, slots=True)
class RowSelection:
    """Rows of one feature table for the rows of one answer."""

    mask: npt.NDArray[np.bool_]
    """Which rows of the table are asked for; those beyond its end are not."""

    parts: Sequence[TakeIndices]
    """TakeIndices among the rows that are asked for; at least one part."""

    @property
    def count(self) -> int:
        """How many rows of the table are asked for."""
        return int(np.count_nonzero(self.mask))

    @classmethod
    def at(cls, positions: Positions) -> RowSelection:
        """What is asked for at these positions in the table."""
        known = positions != UNKNOWN
        mask = np.zeros(positions.max(initial=UNKNOWN) + 1, bool)
        mask[positions[known]] = True
        if 2 * np.count_nonzero(mask) > len(mask):  # to sift would take longer than to read the rest as well
            mask[:] = True
        places = positions if mask.all() else (np.cumsum(mask, dtype=np.int32) - 1)[positions]
        return cls(mask, in_parts(pa.array(places, mask=~known)))


def in_parts(places: pa.Array, rows_at_once: int = ROWS_AT_ONCE) -> list[TakeIndices]:
    """TakeIndices in parts of so many rows, at least one part."""
    starts = range(0, max(1, len(places)), rows_at_once)
    return [_part(places.slice(start, rows_at_once)) for start in starts]


def _part(numbers: pa.Array) -> TakeIndices:
    if not numbers.null_count:
        return TakeIndices(numbers, numbers, None)
    known = np.packbits(numbers.is_valid().to_numpy(zero_copy_only=False), bitorder="little")
    return TakeIndices(numbers, numbers.fill_null(0), pa.py_buffer(known))
