"""Identifiers, texts, numbers, flags and lists of any sort, brought to the types of the contracts."""

from collections import Counter

import polars as pl

from pipelines.ingest.cleaning.column_result import Normalised, as_text, nothing_readable, readable_or_null

TEXTS = (pl.String, pl.Categorical, pl.Enum)
PLAIN_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
COMMA_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
COMMA_DECIMALS = r"^[+-]?\d+,\d{1,2}$"
POINT_THOUSANDS_COMMA_DECIMALS = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+$"
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
BETWEEN_VALUES = "|"
"""What stands between the values of a list that is written as text."""


def to_identifier(column: pl.Series) -> Normalised:
    """Identifiers as trimmed text. Whole numbers lose the `.0` that a missing value elsewhere gave them."""
    kind = column.dtype
    if kind.is_float() or kind.is_decimal():
        number = column.cast(pl.Float64).fill_nan(None)
        is_whole = ((number == number.floor()) & (number.abs() < 2**53)).fill_null(value=False)
        whole = number.set(~is_whole, None).cast(pl.Int64).cast(pl.String)
        steps = Counter({"numbers with a fraction of zero written as identifiers": int(is_whole.sum())})
        return readable_or_null(number, whole, steps)
    if kind == pl.Boolean or kind.is_temporal():
        return nothing_readable(column, pl.String())
    return to_text(column)


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


def to_number(column: pl.Series, *, decimal_comma: bool = False) -> Normalised:
    """Numbers; text may hold them with thousands separators, but with no unit and no currency sign.

    Args:
        column: Numbers, or text.
        decimal_comma: Whether `1,234` is a little more than one, and not a little more than a thousand.
    """
    kind = column.dtype
    if kind.is_numeric() or kind.is_decimal() or kind == pl.Null:
        number = column.cast(pl.Float64)
        missing = number.is_nan().fill_null(value=False)
        present = number.set(missing, None)
        return readable_or_null(present, present, Counter({"NaN taken as missing": int(missing.sum())}))
    if kind not in TEXTS:
        return nothing_readable(column, pl.Float64())
    text = as_text(column).rename("text")
    if text.str.contains(PLAIN_NUMBER).all():
        return readable_or_null(text, text.cast(pl.Float64, strict=False))
    value = pl.col("text")
    if decimal_comma:
        separated = value.str.contains(POINT_THOUSANDS_COMMA_DECIMALS)
        written = value.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        separated = value.str.contains(COMMA_THOUSANDS) | value.str.contains(COMMA_DECIMALS)
        written = (
            pl.when(value.str.contains(COMMA_DECIMALS))
            .then(value.str.replace(",", ".", literal=True))
            .otherwise(value.str.replace_all(",", "", literal=True))
        )
    frame = text.to_frame().select(
        number=pl.when(separated).then(written).when(value.str.contains(PLAIN_NUMBER)).then(value),
        separated=separated,
    )
    steps = Counter({"numbers with separators read": int(frame["separated"].sum())})
    return readable_or_null(text, frame["number"].cast(pl.Float64, strict=False), steps)


def to_position(column: pl.Series) -> Normalised:
    """Whole numbers of 32 bits."""
    number = to_number(column)
    fits = (number.values == number.values.floor()) & (number.values.abs() < 2**31)
    whole = number.values.set(~fits.fill_null(value=True), None).cast(pl.Int32)
    return Normalised(
        whole, number.unreadable | (number.values.is_not_null() & whole.is_null()), number.steps
    )


def to_flag(column: pl.Series) -> Normalised:
    """True and false, also written as 1 and 0, yes and no."""
    if column.dtype == pl.Boolean:
        return readable_or_null(column, column)
    text = to_identifier(column).values.str.to_lowercase().rename("text")
    written = text.to_frame().select(
        pl.when(pl.col("text").is_in(TRUE)).then(True).when(pl.col("text").is_in(FALSE)).then(False)
    )
    return readable_or_null(text, written.to_series(), Counter({"flags read from text": text.count()}))


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
