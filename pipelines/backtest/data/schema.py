"""What a backtest expects of each column, and how a file's own types become it."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", tz="UTC")
LARGEST_RATING = 100.0


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a backtest's file."""

    name: str
    kind: str
    """What it holds, as an error tells it: a key of `READERS`."""
    required: bool = False
    """Whether the file must have it."""
    filled: bool = False
    """Whether it must hold no null."""


EVENTS = (
    Column("user_id", "text", required=True, filled=True),
    Column("item_id", "text", required=True),
    Column("event_type", "text", required=True, filled=True),
    Column("event_at", "instants", required=True, filled=True),
    Column("rating", "ratings"),
    Column("session_id", "text"),
    Column("quantity", "numbers"),
)
ITEMS = (
    Column("item_id", "text", required=True, filled=True),
    Column("title", "text"),
    Column("description", "text"),
    Column("category", "text"),
    Column("brand", "text"),
    Column("price", "numbers"),
    Column("attributes", "lists of text"),
)
USERS = (Column("user_id", "text", required=True, filled=True),)
TEST = (
    Column("history", "lists of text", required=True, filled=True),
    Column("target", "text", required=True, filled=True),
)


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    whole = pa.types.is_integer(values.type)
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    return values.cast(pa.string()) if whole or is_text or pa.types.is_null(values.type) else None


def _numbers(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Numbers as doubles; what is not a number is null."""
    kind = values.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_null(kind)):
        return None
    numbers = values.cast(pa.float64())
    given = pc.fill_null(pc.invert(pc.is_nan(numbers)), False)
    return pc.if_else(given, numbers, pa.scalar(None, pa.float64()))


def _instants(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Instants in UTC microseconds; those without a zone are UTC."""
    if not (pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)):
        return None
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        return pc.cast(values, INSTANT, safe=False)
    return pc.cast(values, pa.timestamp("us"), safe=False).cast(INSTANT)


def _lists_of_text(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.list_(pa.string()))
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return None
    inner = kind.value_type
    fits = pa.types.is_integer(inner) or pa.types.is_string(inner) or pa.types.is_large_string(inner)
    return values.cast(pa.list_(pa.string())) if fits or pa.types.is_null(inner) else None


READERS: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray | None]] = {
    "text": _text,
    "numbers": _numbers,
    "ratings": _numbers,
    "instants": _instants,
    "lists of text": _lists_of_text,
}
"""What a column holds → its values in one Arrow type, or None where they are something else."""
