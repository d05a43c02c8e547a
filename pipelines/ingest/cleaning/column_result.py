"""One column after it was brought into the type of its contract."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from serving.events import NO_VALUE


@dataclass(frozen=True, slots=True)
class Refused:
    """Values that could be read and are refused all the same."""

    mask: pl.Series
    """True where a value is refused."""

    reason: str
    """What is wrong with them, as it follows the column's name: `is ambiguous …`."""

    costs_row: bool
    """Whether the whole row is refused; otherwise the value is missing, unless its column is required."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """Values of the right type, and where a value was there that could not be read."""

    values: pl.Series
    """Null where there was no value, or none that could be read."""

    unreadable: pl.Series
    """True where a value was there that could not be read."""

    steps: Counter[str] = field(default_factory=Counter)
    """What was changed: step -> values."""

    refused: tuple[Refused, ...] = ()
    """Values that are neither in `values` nor `unreadable`, by reason."""

    warnings: tuple[str, ...] = ()
    """What a person should look at, such as a column that mixes decimal commas and points."""


def readable_or_null(column: pl.Series, values: pl.Series, steps: Counter[str] | None = None) -> Normalised:
    """The values, with those that were lost on the way marked as unreadable."""
    unreadable = column.is_not_null() & values.is_null()
    return Normalised(values.rename(column.name), unreadable.rename(column.name), +(steps or Counter()))


def nothing_readable(column: pl.Series, kind: pl.DataType) -> Normalised:
    """No value of the column can be read: its type is of another sort altogether."""
    return readable_or_null(column, pl.Series(column.name, [None], dtype=kind).new_from_index(0, len(column)))


def as_text(column: pl.Series) -> pl.Series:
    """The column as trimmed text, null where the text stands for no value."""
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text.is_in(NO_VALUE).fill_null(value=False), None)
