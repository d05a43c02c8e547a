"""Reading instants that people and programs write: one reader, one policy."""

from datetime import UTC, date, datetime
from typing import Any

import click

from pipelines.errors import WrongUsageError

EXAMPLE = "2024-05-01T12:00:00Z"


def read_instant(value: str | datetime) -> datetime:
    """The instant in UTC; a date alone is its midnight in UTC.

    Args:
        value: ISO 8601: a date, or a time with its zone (`Z` or an offset such as `+02:00`).

    Raises:
        WrongUsageError: It is neither; a time without a zone is several instants, and is refused.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            day = date.fromisoformat(text)
        except ValueError:
            pass
        else:
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        try:
            at = datetime.fromisoformat(text)
        except ValueError as error:
            raise WrongUsageError(
                f"expected an instant in ISO 8601, such as {EXAMPLE} or 2024-05-01, received {value!r}"
            ) from error
    else:
        at = value
    if at.tzinfo is None:
        raise WrongUsageError(
            f"expected an instant with its zone, received {str(value)!r}; write {at.isoformat()}Z for UTC, "
            f"or the offset, such as {at.isoformat()}+02:00"
        )
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise WrongUsageError(f"expected an instant of the years 1 to 9999, received {value!r}") from error


class Instant(click.ParamType[datetime]):
    """An option of a command that takes an instant; see `read_instant`."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the instant, or say what was expected."""
        try:
            return read_instant(value)
        except WrongUsageError as error:
            self.fail(str(error), param, ctx)
