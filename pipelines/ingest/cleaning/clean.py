"""Cleaning: every column is brought to the type of its contract, and every change is counted.

Currencies are left alone: a price stays the number that the shop wrote.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning.column_result import Normalised, readable_or_null
from pipelines.ingest.cleaning.times import UTC_MICROSECONDS, to_utc
from pipelines.ingest.cleaning.values import to_flag, to_identifier, to_list, to_number, to_position, to_text
from pipelines.ingest.columns import EVENT_TYPE_NAMES, TABLES, Column
from pipelines.ingest.contracts import PROBLEM, ROW

EMPTY: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "position": pl.Int32(),
    "flag": pl.Boolean(),
    "list": pl.List(pl.String),
    "instant": UTC_MICROSECONDS,
    "day": pl.Date(),
}
"""Type of a column that the source does not have; all others are text."""

UNREADABLE = {
    "identifier": "is no text and no whole number",
    "text": "is no text",
    "number": "is no number",
    "position": "is no whole number",
    "flag": "is neither true nor false",
    "list": "is no list of texts",
    "instant": "is no time that can be read (ISO-8601, or a number since 1970)",
    "day": "is no day that can be read (ISO-8601)",
    "event_type": "is no text",
    "category": "is no text",
    "age": "is no age of a person",
}
"""What is wrong with a value of each kind that cannot be read."""

AGES = (18, 25, 35, 45, 55, 65)
AGE_BANDS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
OLDEST = 125


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A batch in the types of its contract."""

    rows: pl.DataFrame
    """All columns of the contract, with the row's number and what could not be read of it."""

    steps: Counter[str]
    """What was changed: `table.column: step` -> values."""


def clean(batch: Batch, event_types: Mapping[str, str] | None = None) -> Cleaned:
    """Bring every column of a batch to the type of its contract.

    Args:
        batch: Rows under the names of the contract.
        event_types: What the shop calls its event types, beside `EVENT_TYPE_NAMES`: theirs -> ours.
    """
    names = {**EVENT_TYPE_NAMES, **(event_types or {})}
    steps: Counter[str] = Counter({f"{batch.table}: {step}": n for step, n in batch.steps.items()})
    columns: list[pl.Series] = []
    problems: list[pl.Series] = []
    for column in TABLES[batch.table]:
        if column.name not in batch.rows.columns:
            kind = EMPTY.get(column.kind, pl.String())
            columns.append(pl.Series(column.name, [None], dtype=kind).new_from_index(0, batch.rows.height))
            continue
        normalised = _normalise(batch.rows[column.name], column, batch, names)
        columns.append(normalised.values.rename(column.name))
        if normalised.unreadable.any():
            problems.append(_problem(column, normalised.unreadable))
        steps.update({f"{batch.table}.{column.name}: {step}": n for step, n in normalised.steps.items()})
    rows = pl.DataFrame(columns).with_columns(
        pl.int_range(batch.rows.height, dtype=pl.UInt32).alias(ROW),
        pl.concat_str(problems, separator="; ", ignore_nulls=True).replace("", None).alias(PROBLEM)
        if problems
        else pl.lit(None, pl.String).alias(PROBLEM),
    )
    return Cleaned(rows, +steps)


def _problem(column: Column, unreadable: pl.Series) -> pl.Series:
    sentence = pl.Series([f"{column.name} {UNREADABLE[column.kind]}"]).new_from_index(0, len(unreadable))
    return sentence.set(~unreadable, None)


def _normalise(values: pl.Series, column: Column, batch: Batch, event_types: Mapping[str, str]) -> Normalised:
    match column.kind:
        case "identifier":
            return to_identifier(values)
        case "text":
            return to_text(values)
        case "number":
            return _scaled(to_number(values, decimal_comma=batch.decimal_comma), batch.scale.get(column.name))
        case "position":
            return to_position(values)
        case "flag":
            return to_flag(values)
        case "list":
            return to_list(values)
        case "instant":
            return to_utc(values, batch.timezone)
        case "day":
            instants = to_utc(values)
            return Normalised(instants.values.dt.date(), instants.unreadable)
        case "event_type":
            return _to_event_type(values, event_types)
        case "category":
            return _to_category(values)
        case "age":
            return _to_age_band(values)


def _scaled(number: Normalised, factor: float | None) -> Normalised:
    """Numbers in the unit of the contract."""
    if factor is None:
        return number
    scaled = Counter({f"units changed, times {factor:g}": number.values.count()})
    # A product such as 1999 * 0.01 would keep the binary dust of its factors.
    return Normalised((number.values * factor).round(9), number.unreadable, number.steps + scaled)


def _to_event_type(column: pl.Series, names: Mapping[str, str]) -> Normalised:
    """Event types in small letters, under the names of the contract."""
    text = to_text(column)
    lower = text.values.str.to_lowercase()
    ours = lower.replace(dict(names))
    renamed = Counter({"event types renamed": int((ours != text.values).sum())})
    return Normalised(ours, text.unreadable, text.steps + renamed)


def _to_category(column: pl.Series) -> Normalised:
    """Paths such as `Shoes > Sandals`, with one blank around each `>` and no empty level."""
    text = to_text(column)
    levels = text.values.str.replace_all(r"\s+", " ").str.split(">")
    trimmed = levels.list.eval(pl.element().str.strip_chars())
    path = trimmed.list.eval(pl.element().filter(pl.element().str.len_bytes() > 0)).list.join(" > ")
    changed = Counter({"category paths trimmed": int((path != text.values).sum())})
    return Normalised(path, text.unreadable, text.steps + changed)


def _to_age_band(column: pl.Series) -> Normalised:
    """Bands of ages; a band that the shop made itself stays as it is."""
    text = to_text(column).values
    number = to_number(column).values
    possible = (number >= 0) & (number <= OLDEST)
    band = pl.lit(AGE_BANDS[0])
    for youngest, label in zip(AGES, AGE_BANDS[1:], strict=True):
        band = pl.when(pl.col("age") >= youngest).then(pl.lit(label)).otherwise(band)
    frame = pl.DataFrame({"age": number, "possible": possible, "own": text})
    values = frame.select(
        pl.when(pl.col("age").is_null()).then("own").when("possible").then(band).alias("age_band")
    )["age_band"]
    steps = Counter({"ages turned to bands": int(possible.sum() or 0)})
    return readable_or_null(text, values, steps)
