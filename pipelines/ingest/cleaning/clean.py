"""Cleaning: every column is brought to the type of its contract, and every change is counted.

Currencies are taken off and not converted: a price stays the number that the shop wrote.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning.categories import to_category
from pipelines.ingest.cleaning.column_result import Normalised, Refused, readable_or_null
from pipelines.ingest.cleaning.notation import Notation
from pipelines.ingest.cleaning.numbers import observed, read_numbers
from pipelines.ingest.cleaning.times import UTC_MICROSECONDS, to_utc
from pipelines.ingest.cleaning.values import (
    TEXTS,
    to_flag,
    to_identifier,
    to_list,
    to_number,
    to_position,
    to_stock,
    to_text,
)
from pipelines.ingest.columns import EVENT_TYPE_NAMES, TABLES, Column
from pipelines.ingest.contracts import PROBLEM, ROW

EMPTY: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "money": pl.Float64(),
    "position": pl.Int32(),
    "flag": pl.Boolean(),
    "consent": pl.Boolean(),
    "stock": pl.Boolean(),
    "list": pl.List(pl.String),
    "instant": UTC_MICROSECONDS,
    "day": pl.Date(),
}
"""Type of a column that the source does not have; all others are text."""

UNREADABLE = {
    "identifier": "is no text and no whole number",
    "text": "is no text",
    "number": "is no number",
    "money": "is no number",
    "position": "is no whole number",
    "flag": "is neither true nor false",
    "consent": "is neither true nor false",
    "stock": "is no state of stock",
    "list": "is no list of texts",
    "instant": "is no time that can be read (ISO-8601, a number since 1970, or by `day_first` or "
    "`date_format` in a mapping)",
    "day": "is no day that can be read (ISO-8601, or by `day_first` or `date_format` in a mapping)",
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
    """All columns of the contract, with the row's number and why it is refused."""

    steps: Counter[str]
    """What was changed: `table.column: step` -> values."""

    unreadable: Counter[str]
    """Optional values that could not be read and are missing now: `table.column` -> values."""

    present: Counter[str]
    """Values that were there: `table.column` -> values."""

    left_out: Counter[str]
    """Events whose type the mapping leaves out, by that type; `rows` are without them."""

    warnings: dict[str, str]
    """What a person should look at: `table.column` -> sentence."""


def clean(batch: Batch) -> Cleaned:
    """Bring every column of a batch to the type of its contract.

    A value that cannot be read costs its row where its column is required; otherwise it is missing.
    """
    cleaned = Cleaned(
        pl.DataFrame(),
        Counter({f"{batch.table}: {step}": n for step, n in batch.steps.items()}),
        Counter(),
        Counter(),
        Counter(),
        {},
    )
    read = _read_columns(batch)
    columns: list[pl.Series] = []
    problems: list[pl.Series] = []
    for column in TABLES[batch.table]:
        if column.name not in read:
            kind = EMPTY.get(column.kind, pl.String())
            columns.append(pl.Series(column.name, [None], dtype=kind).new_from_index(0, batch.rows.height))
            continue
        normalised = read[column.name]
        columns.append(normalised.values.rename(column.name))
        where = f"{batch.table}.{column.name}"
        lost = _judge(column, normalised, read.get("event_type"), problems)
        cleaned.unreadable[where] += lost
        cleaned.present[where] += normalised.values.count() + lost
        cleaned.steps.update({f"{where}: {step}": n for step, n in normalised.steps.items()})
        if normalised.warnings:
            cleaned.warnings[where] = "; ".join(normalised.warnings)
    rows = pl.DataFrame(columns).with_columns(
        pl.int_range(batch.rows.height, dtype=pl.UInt32).alias(ROW),
        pl.concat_str(problems, separator="; ", ignore_nulls=True).replace("", None).alias(PROBLEM)
        if problems
        else pl.lit(None, pl.String).alias(PROBLEM),
    )
    if batch.table == "events":
        rows, left_out = _without_left_out(rows, batch.notation.event_types)
        cleaned.left_out.update(left_out)
    return replace(cleaned, rows=rows, steps=+cleaned.steps, unreadable=+cleaned.unreadable)


def _read_columns(batch: Batch) -> dict[str, Normalised]:
    """The columns that the batch has; all of its numbers are looked at before the first of them is read."""
    columns = {column.name: column for column in TABLES[batch.table] if column.name in batch.rows.columns}
    written = {
        name: observed(batch.rows[name], batch.marks, name, money=column.kind == "money")
        for name, column in columns.items()
        if column.kind in ("number", "money") and batch.rows.schema[name] in TEXTS
    }
    read = {}
    for name, column in columns.items():
        if name in written:
            read[name] = read_numbers(written[name], batch.marks, name)
        else:
            read[name] = _normalise(batch.rows[name], column, batch.notation)
        if column.kind in ("number", "money"):
            read[name] = _scaled(read[name], batch.notation.scale.get(name))
    return read


def _judge(
    column: Column, normalised: Normalised, event_type: Normalised | None, problems: list[pl.Series]
) -> int:
    """Add the sentences of rows that the column costs to `problems`; return how many values are missing."""
    lost = 0
    unread = Refused(normalised.unreadable, UNREADABLE[column.kind], costs_row=False)
    for refused in (unread, *normalised.refused):
        if not refused.mask.any():
            continue
        costs = refused.mask
        if not column.required and not refused.costs_row:
            # A rating that cannot be read leaves nothing of an event that says it.
            is_rating = column.name == "rating" and event_type is not None
            costs &= event_type.values == "rating" if is_rating and event_type is not None else False
            costs = costs.fill_null(value=False)
            lost += int(refused.mask.sum()) - int(costs.sum())
        if costs.any():
            sentence = pl.Series([f"{column.name} {refused.reason}"]).new_from_index(0, len(costs))
            problems.append(sentence.set(~costs, None))
    return lost


def _without_left_out(
    rows: pl.DataFrame, event_types: Mapping[str, str | None]
) -> tuple[pl.DataFrame, dict[str, int]]:
    unwanted = [theirs for theirs, ours in event_types.items() if ours is None]
    if not unwanted:
        return rows, {}
    is_unwanted = rows["event_type"].is_in(unwanted).fill_null(value=False)
    counts = rows.filter(is_unwanted)["event_type"].value_counts()
    return rows.filter(~is_unwanted), dict(counts.iter_rows())


def _normalise(values: pl.Series, column: Column, notation: Notation) -> Normalised:
    match column.kind:
        case "identifier":
            return to_identifier(values)
        case "text":
            return to_text(values)
        case "number" | "money":
            return to_number(values)
        case "position":
            return to_position(values)
        case "flag":
            return to_flag(values)
        case "consent":
            consent = to_flag(values)  # what cannot be read is no consent
            return replace(consent, values=consent.values.set(consent.unreadable, value=False))
        case "stock":
            return to_stock(values)
        case "list":
            return to_list(values)
        case "instant":
            return _to_instant(values, notation, notation.timezone)
        case "day":
            instants = _to_instant(values, notation, "UTC")
            return Normalised(instants.values.dt.date(), instants.unreadable)
        case "event_type":
            return _to_event_type(values, notation)
        case "category":
            return to_category(values, notation)
        case "age":
            return _to_age_band(values)


def _to_instant(values: pl.Series, notation: Notation, timezone: str) -> Normalised:
    return to_utc(values, timezone, day_first=notation.day_first, date_format=notation.date_format)


def _scaled(number: Normalised, factor: float | None) -> Normalised:
    """Numbers in the unit of the contract."""
    if factor is None:
        return number
    scaled = Counter({f"units changed, times {factor:g}": number.values.count()})
    # A product such as 1999 * 0.01 would keep the binary dust of its factors.
    return replace(number, values=(number.values * factor).round(9), steps=number.steps + scaled)


def _to_event_type(column: pl.Series, notation: Notation) -> Normalised:
    """Event types in small letters, under the names of the contract; those to be left out keep theirs."""
    text = to_text(column)
    known: dict[str, str | None] = {**EVENT_TYPE_NAMES} if notation.own_event_types else {}
    known |= notation.event_types
    values = text.values.str.to_lowercase() if notation.own_event_types else text.values
    values = values.replace({theirs: ours for theirs, ours in known.items() if ours is not None})
    renamed = Counter({"event types renamed": int((values != text.values).sum())})
    return Normalised(values, text.unreadable, text.steps + renamed)


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
