"""Day numbers: days are counted in UTC from 1970-01-01, and what happened on a day is known when it ends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import ibis
import ibis.expr.types as ir

SECONDS_OF_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """The days for which every state of a feature is kept."""

    from_day: int
    """First day, inclusive: at its start the state of every entity is known."""

    until_day: int
    """Last day, inclusive: the day of `as_of`."""


def unix_seconds(instant: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds since 1970, rounded down on every engine (DuckDB's own cast rounds to the nearest)."""
    return instant.epoch_seconds().cast("float64").floor().cast("int64")


def day_number(instant: ir.TimestampValue) -> ir.IntegerValue:
    """Days since 1970-01-01 in UTC."""
    return (unix_seconds(instant) // SECONDS_OF_DAY).cast("int64")


def start_of_day(day: ir.IntegerValue) -> ir.TimestampValue:
    """The instant at which a day number begins, in microseconds UTC."""
    return (day * SECONDS_OF_DAY).as_timestamp("s").cast("timestamp('UTC', 6)")


def day_of(instant: datetime) -> int:
    """Day number of one instant."""
    return (instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)


def instant_literal(instant: datetime) -> ir.TimestampValue:
    """One instant as an expression, in microseconds UTC."""
    return ibis.literal(instant.astimezone(UTC), type="timestamp('UTC', 6)")


def start_of(day: int) -> datetime:
    """The instant at which a day number begins."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
