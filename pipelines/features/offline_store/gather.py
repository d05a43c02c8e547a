"""Rows of a feature table, read in the order of its files and picked by their numbers."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.features.offline_store.row_selection import TakeIndices

ROWS_AT_ONCE = 131_072
"""Feature rows that are read at a time."""

WIDE_ROWS_AT_ONCE = 16_384
"""Texts or lists that are picked at a time: what lies longer than the processor's caches is copied slowly."""

CHUNK_BYTES = 2**31 - 1
"""What texts or lists of one Arrow array can hold; more of them are picked by wider offsets."""


def rows_in_order(connection: Any, query: str, asked: npt.NDArray[np.bool_] | None = None) -> pa.Table:
    """Return the rows of a scan in the order of its files, the same in every scan under one condition.

    Args:
        connection: To DuckDB.
        query: Columns of one relation.
        asked: Which rows to return, by their numbers; those beyond its end are not. None: all.
    """
    connection.execute("SET preserve_insertion_order = true")
    if asked is None:
        return connection.sql(query).to_arrow_table()
    reader = connection.sql(query).to_arrow_reader(ROWS_AT_ONCE)
    parts, start = [], 0
    for batch in reader:
        some = asked[start : start + batch.num_rows]
        if not len(some):
            break
        whole = len(some) == batch.num_rows and some.all()
        parts.append(batch if whole else batch.slice(0, len(some)).filter(pa.array(some)))
        start += batch.num_rows
    return pa.Table.from_batches(parts, reader.schema)


def picked(
    column: pa.ChunkedArray, parts: Iterable[TakeIndices], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[pa.Array]:
    """Yield a column's values at these places, part by part; null where a place is.

    Args:
        column: Values.
        parts: Numbers of values, or null; none may lie beyond the column's end.
        chunk_bytes: A column of more bytes is picked by 64-bit offsets.
    """
    kind = column.type
    if column.nbytes > chunk_bytes:
        column = column.cast(_with_wide_offsets(kind))
    values = column.combine_chunks()
    del column
    if pa.types.is_primitive(kind) and len(values) and not values.null_count:
        yield from (_known_numbers(values, places) for places in parts)
        return
    take = _taking_lists(values) or partial(_unchecked, values)
    for places in parts:
        for numbers in places.in_pieces(WIDE_ROWS_AT_ONCE):
            part = take(numbers)
            yield part if part.type == kind else part.cast(kind)


def _unchecked(values: pa.Array, places: pa.Array) -> pa.Array:
    """To check every place against the length again takes half as long as to pick the values."""
    return pc.take(values, places, boundscheck=False)


def _known_numbers(values: pa.Array, places: TakeIndices) -> pa.Array:
    """The same as `take` of numbers that are all known, in a third of the time."""
    _, content = _unchecked(values, places.filled).buffers()
    return pa.Array.from_buffers(values.type, len(places.filled), [places.known, content])


def _taking_lists(values: pa.Array) -> Callable[[pa.Array], pa.Array] | None:
    """The same as `take` of lists that are all of one length, in half of the time; None: they are not."""
    if not pa.types.is_list(values.type) or not len(values) or values.null_count:
        return None
    lengths = np.diff(values.offsets)
    if not lengths[0] or (lengths != lengths[0]).any():
        return None
    fixed = pa.FixedSizeListArray.from_arrays(values.flatten(), int(lengths[0]))

    def take(numbers: pa.Array) -> pa.Array:
        known = numbers.is_valid().to_numpy(zero_copy_only=False)
        ends = pa.array(np.cumsum(np.append(0, known)) * fixed.type.list_size, pa.int32())
        content = _unchecked(fixed, numbers.drop_null()).flatten()
        return pa.ListArray.from_arrays(ends, content, type=values.type, mask=pa.array(~known))

    return take


def _with_wide_offsets(kind: pa.DataType) -> pa.DataType:
    wide: dict[Callable[[pa.DataType], bool], pa.DataType] = {
        pa.types.is_string: pa.large_string(),
        pa.types.is_binary: pa.large_binary(),
    }
    if pa.types.is_list(kind):
        return pa.large_list(kind.value_field.with_type(_with_wide_offsets(kind.value_type)))
    return next((to for is_kind, to in wide.items() if is_kind(kind)), kind)
