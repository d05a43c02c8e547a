"""Which events of a shop's table are wanted, as a condition in its own terms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipelines.ingest.cleaning import SECONDS_BELOW
from pipelines.ingest.column_names import find_column
from pipelines.ingest.columns import TABLES
from pipelines.ingest.mapping import TableMapping
from serving.events import EARLIEST

CLOCK_TIMES = ("datetime", "date")
NUMBERS = ("int", "bigint", "decimal", "double", "float")


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column of a shop's table."""

    name: str
    kind: str
    """The server's type in small letters, such as `datetime`."""


def quoted(name: str) -> str:
    """The name as SQL takes it literally, in a query that has parameters."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def time_column(columns: Sequence[SqlColumn], told: TableMapping) -> SqlColumn | None:
    """The column that holds the times of events, or None where there is none."""
    event_at = next(column for column in TABLES["events"] if column.name == "event_at")
    wanted = told.columns.get("event_at", (event_at.name, *event_at.also))
    names = [column.name for column in columns]
    found = (find_column(name, names, "events") for name in wanted)
    first = next((name for name in found if name is not None), None)
    return next((column for column in columns if column.name == first), None)


def condition(
    column: SqlColumn,
    since: datetime | None,
    until: datetime | None,
    timezone: str,
    highest: Callable[[], float | None],
) -> tuple[str, tuple[str | int, ...]]:
    """A `WHERE` that leaves out events before `since` and from `until` on, and its parameters.

    Rows whose time is missing or impossible are always wanted: they belong into the quarantine. Text columns
    are not compared: nothing says how their times are written.

    Args:
        column: The column of times.
        since: First instant that is wanted, or None.
        until: First instant that is no longer wanted, or None.
        timezone: Zone of times without one.
        highest: Tells the greatest number of the column, whose size tells the unit.
    """
    if column.kind == "timestamp":
        write = _in_zone("UTC")
    elif column.kind in CLOCK_TIMES:
        write = _in_zone(timezone)
    elif column.kind in NUMBERS:
        write = _since_1970(highest() or 0)
    else:
        return "", ()
    name, parts, values = quoted(column.name), [], []
    if since is not None:
        parts.append(f"{name} >= %s")
        values.append(write(since))
    if until is not None:
        parts.append(f"{name} < %s")
        values.append(write(until))
    if not parts:
        return "", ()
    where = f" WHERE {' AND '.join(parts)} OR {name} IS NULL OR {name} < %s"
    return where, (*values, write(EARLIEST))


def _in_zone(timezone: str) -> Callable[[datetime], str | int]:
    zone = ZoneInfo(timezone)
    return lambda instant: instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f")


def _since_1970(highest: float) -> Callable[[datetime], str | int]:
    """Numbers in the unit that `highest` is in."""
    unit = 1
    while highest >= SECONDS_BELOW * unit and unit < 1_000_000_000:
        unit *= 1000
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return lambda instant: round((instant - epoch).total_seconds() * unit)
