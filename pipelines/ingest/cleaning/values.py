"""Identifiers, texts, numbers, flags and lists of any sort, brought to the types of the contracts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipelines.ingest.cleaning.column_result import (
    Normalised,
    Refused,
    as_text,
    nothing_readable,
    readable_or_null,
)
from pipelines.ingest.cleaning.numbers import DecimalMarks, observed, read_numbers
from serving.events import FLOAT_ID, ROUNDED_ID

FRACTION_OF_ZERO = "numbers with a fraction of zero written as identifiers"
TEXTS = (pl.String, pl.Categorical, pl.Enum)
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
IN_STOCK = ("in stock", "instock", "available", "limited availability", "preorder", "backorder")
OUT_OF_STOCK = ("out of stock", "outofstock", "sold out", "soldout", "discontinued", "not available")
"""States of Google's and schema.org's product feeds, and what shops call them."""

BETWEEN_VALUES = "|"
"""What stands between the values of a list that is written as text."""


def to_identifier(column: pl.Series) -> Normalised:
    """Identifiers as trimmed text. Whole numbers lose the `.0` that a missing value elsewhere gave them."""
    kind = column.dtype
    if kind.is_float() or kind.is_decimal():
        number = column.cast(pl.Float64).fill_nan(None)
        is_whole = ((number == number.floor()) & (number.abs() < 2**53)).fill_null(value=False)
        whole = number.set(~is_whole, None).cast(pl.Int64).cast(pl.String)
        steps = Counter({FRACTION_OF_ZERO: int(is_whole.sum())})
        return readable_or_null(number, whole, steps)
    if kind == pl.Boolean or kind.is_temporal():
        return nothing_readable(column, pl.String())
    text = to_text(column)
    return _exact(_whole(text))


def _whole(text: Normalised) -> Normalised:
    """`17850.0` as `17850`, as columns of floats and of integers write it."""
    values = text.values
    if not values.str.contains(".0", literal=True).any():
        return text
    is_float = values.str.contains(FLOAT_ID).fill_null(value=False)
    floats, integers = int(is_float.sum()), int(values.str.contains(r"^-?\d+$").sum())
    mixed = (
        f"{floats:,} whole numbers are written with .0 and {integers:,} without; both are read without it",
    )
    return replace(
        text,
        values=values.str.replace(FLOAT_ID, "$1"),
        steps=text.steps + Counter({FRACTION_OF_ZERO: floats}),
        warnings=mixed if floats and integers else (),
    )


def _exact(text: Normalised) -> Normalised:
    """Without numbers of which a spreadsheet has left a few digits."""
    if not text.values.str.contains("+", literal=True).any():
        return text
    rounded = text.values.str.contains(ROUNDED_ID).fill_null(value=False)
    if not rounded.any():
        return text
    return replace(
        text,
        values=text.values.set(rounded, None),
        refused=(Refused(rounded, "was rounded by a spreadsheet, export it as text", costs_row=False),),
    )


def to_text(column: pl.Series) -> Normalised:
    """Text without blanks around it; texts such as `NULL` are no value."""
    kind = column.dtype
    if kind.is_nested() or kind == pl.Object:
        return nothing_readable(column, pl.String())
    text = _decoded(column) if kind == pl.Binary else column.cast(pl.String)
    values = as_text(text)
    if kind not in TEXTS:
        return readable_or_null(column, values)
    length, kept = text.str.len_bytes(), values.str.len_bytes()
    steps = Counter(
        {
            "texts trimmed": int((length != kept).sum()),
            "texts such as NULL taken as missing": int((values.is_null() & (length > 0)).sum()),
        }
    )
    return Normalised(values, pl.repeat(value=False, n=len(column), eager=True), +steps)


def _decoded(column: pl.Series) -> pl.Series:
    """Bytes as UTF-8 text, null where they are none."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if each is None else each.decode("utf-8", errors="replace") for each in column]
        decoded = pl.Series(column.name, texts, dtype=pl.String)
        return decoded.set(decoded.str.contains("\ufffd").fill_null(value=False), None)


def to_number(
    column: pl.Series, marks: DecimalMarks | None = None, name: str = "", *, money: bool = False
) -> Normalised:
    """Numbers of any sort as 64-bit floats; `numbers` says how text is read.

    Args:
        column: Numbers, or text.
        marks: The decimal marks of the file; by default those of this column alone.
        name: What the column is called in `marks`.
        money: Whether a currency may stand beside a number.
    """
    kind = column.dtype
    if kind.is_numeric() or kind.is_decimal() or kind == pl.Null:
        number = column.cast(pl.Float64)
        missing = number.is_nan().fill_null(value=False)
        present = number.set(missing, None)
        return readable_or_null(present, present, Counter({"NaN taken as missing": int(missing.sum())}))
    if kind not in TEXTS:
        return nothing_readable(column, pl.Float64())
    marks = marks or DecimalMarks()
    return read_numbers(observed(column, marks, name, money=money), marks, name)


def to_position(column: pl.Series) -> Normalised:
    """Whole numbers of 32 bits."""
    number = to_number(column)
    fits = (number.values == number.values.floor()) & (number.values.abs() < 2**31)
    whole = number.values.set(~fits.fill_null(value=True), None).cast(pl.Int32)
    lost = number.values.is_not_null() & whole.is_null()
    return replace(number, values=whole, unreadable=number.unreadable | lost)


def to_flag(column: pl.Series) -> Normalised:
    """True and false, also written as 1 and 0, yes and no."""
    if column.dtype == pl.Boolean:
        return readable_or_null(column, column)
    text = to_identifier(column).values.str.to_lowercase()
    return _flags(text, _flag(text, TRUE, FALSE))


def to_stock(column: pl.Series) -> Normalised:
    """Whether an item can be bought: a flag, a number of pieces, or a state such as `in stock`."""
    if column.dtype == pl.Boolean:
        return readable_or_null(column, column)
    text = to_text(column.cast(pl.String)).values.str.to_lowercase().str.replace_all("[_-]", " ")
    pieces = to_number(column).values
    states = _flag(text, (*TRUE, *IN_STOCK), (*FALSE, *OUT_OF_STOCK))
    return _flags(text, (pieces > 0).zip_with(pieces.is_not_null(), states))


def _flag(text: pl.Series, true: Sequence[str], false: Sequence[str]) -> pl.Series:
    is_true = pl.when(pl.col("text").is_in(true)).then(True)
    return (
        pl.DataFrame({"text": text}).select(is_true.when(pl.col("text").is_in(false)).then(False)).to_series()
    )


def _flags(text: pl.Series, values: pl.Series) -> Normalised:
    return readable_or_null(text, values, Counter({"flags read from text": text.count()}))


def to_list(column: pl.Series) -> Normalised:
    """Lists of texts without blanks and repetitions; text is split at `|`."""
    kind = column.dtype
    if kind in TEXTS or kind == pl.Null:
        lists = column.cast(pl.String).str.split(BETWEEN_VALUES)
    elif isinstance(kind, pl.List | pl.Array) and not kind.inner.is_nested():
        lists = column.cast(pl.List(pl.String))
    else:
        return nothing_readable(column, pl.List(pl.String))
    trimmed = lists.list.eval(pl.element().str.strip_chars())
    kept = trimmed.list.eval(pl.element().filter(pl.element().str.len_bytes() > 0)).list.unique(
        maintain_order=True
    )
    return readable_or_null(column, kept)
