"""From Arrow's columns to polars', with the types that polars does not know turned to text first."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

FIRST_SECOND = -62_135_596_800
"""The year 1, in seconds since 1970."""

LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def to_frame(table: pa.Table) -> pl.DataFrame:
    """The same columns in polars; those that occur again get a number, so that no column hides another.

    Raises:
        pa.ArrowInvalid: A text is not UTF-8, or the table is damaged.
    """
    table.validate(full=True)
    columns = [_known_to_polars(column) for column in table.columns]
    frame = pl.from_arrow(pa.table(columns, names=_distinct(table.column_names)))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected rows, received {type(frame).__name__}")
    return frame


def _known_to_polars(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if kinds.is_timestamp(kind):
        return _possible_times(column)
    if kinds.is_decimal256(kind):
        return column.cast(pa.string())
    if kinds.is_map(kind) or kinds.is_union(kind) or kinds.is_interval(kind) or kinds.is_duration(kind):
        return pa.chunked_array(
            [[None if value is None else str(value) for value in column.to_pylist()]], pa.string()
        )
    return column


def _possible_times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of a zone that is known, between the years 1 and 9999; others become text that is no time."""
    unit, zone = column.type.unit, column.type.tz
    if zone is not None and not _is_zone(zone):
        column = column.cast(pa.timestamp(unit, "UTC"))  # the instants are the same
    numbers = column.cast(pa.int64())
    impossible = pc.or_(
        pc.less(numbers, max(FIRST_SECOND * UNITS[unit], -(2**63))),
        pc.greater(numbers, min(LAST_SECOND * UNITS[unit], 2**63 - 1)),
    )
    if not pc.any(impossible).as_py():
        return column
    told = pc.binary_join_element_wise(numbers.cast(pa.string()), f"{unit} since 1970", " ")
    possible = pc.if_else(impossible, pa.scalar(None, column.type), column)
    return pc.if_else(impossible, told, possible.cast(pa.string()))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return name[:1] in "+-"
    return True


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
