"""One column after it was brought into the type of its contract."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

MISSING = ("", "NULL", "null", "None", "NaN", "nan", "\\N")
"""Texts that stand for no value in files and database dumps."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """Values of the right type, and where a value was there that could not be read."""

    values: pl.Series
    """Null where there was no value, or none that could be read."""

    unreadable: pl.Series
    """True where a value was there that could not be read."""

    steps: Counter[str] = field(default_factory=Counter)
    """What was changed: step -> values."""


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
    return text.set(text.is_in(MISSING).fill_null(value=False), None)
