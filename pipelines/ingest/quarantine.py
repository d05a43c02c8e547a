"""Rows that broke a contract, kept with the reason and with what they held."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import dataframely as dy
import polars as pl

from pipelines.ingest.batch import READY_JSON, Batch, Broken
from pipelines.ingest.columns import TABLES
from pipelines.ingest.contracts import PROBLEM, ROW, reason
from pipelines.ingest.row_hash import digest
from pipelines.lake import SCHEMAS

COLUMNS = ("table", "source", "reason", "content")


COSTS_ROW = ("quantity", "price", "rating", "updated_at")
"""Optional columns whose impossible values cost the row: a negative quantity or price is no purchase but a
return, a rating without its value says nothing, and a state that is not yet true says when it will be."""


def screen(
    batch: Batch, rows: pl.DataFrame, contract: type[dy.Schema]
) -> tuple[pl.DataFrame, pl.DataFrame | None, Counter[str]]:
    """Split cleaned rows into those that hold to the contract and the others.

    An optional value that breaks a rule is missing, and its row holds to the contract without it.

    Returns:
        The good rows; what to quarantine of the others; and how many values are missing: `table.column` ->
        values.
    """
    result, failure = contract.filter(rows)
    if result.height == rows.height:
        return result, None, Counter()
    details = failure.details()
    optional = {column.name for column in TABLES[batch.table] if not column.required}
    rules = [name for name in failure.counts() if name != f"{PROBLEM}|check"]
    lost: Counter[str] = Counter()
    for rule in rules:
        column = rule.partition("|")[0]
        if column not in optional or column in COSTS_ROW:
            continue
        is_bad = pl.col(rule) == "invalid"
        lost[f"{batch.table}.{column}"] += details.filter(is_bad & pl.col(column).is_not_null()).height
        details = details.with_columns(
            pl.when(~is_bad.fill_null(value=False)).then(column).alias(column),
            pl.lit("valid", details.schema[rule]).alias(rule),
        )
    still = [name for name in failure.counts() if details.schema.get(name) is not None]
    is_broken = pl.any_horizontal(pl.col(still) == "invalid").fill_null(value=False)
    mended = details.filter(~is_broken).select(result.columns)
    good = pl.concat([result, mended]).sort(ROW) if mended.height else result
    details = details.filter(is_broken)
    if details.is_empty():
        return good, None, +lost
    sentences = [pl.when(pl.col(rule) == "invalid").then(pl.lit(reason(rule))) for rule in rules]
    broken = details.select(
        ROW,
        # What could not be read is null by now; that it is missing as well need not be said.
        reason=pl.coalesce(PROBLEM, pl.concat_str(sentences, separator="; ", ignore_nulls=True))
        if sentences
        else pl.col(PROBLEM),
    )
    original = batch.original[broken[ROW]]
    bad = pl.DataFrame(
        {
            "table": [batch.table] * broken.height,
            "source": [batch.source] * broken.height,
            "reason": broken["reason"],
            "content": as_json(original),
        }
    )
    return good, bad, +lost


def not_even_rows(broken: Broken) -> pl.DataFrame:
    """What to quarantine of lines that could not be taken apart."""
    lines = pl.DataFrame({"line": broken.contents}, schema={"line": pl.String})
    return lines.select(
        table=pl.lit(broken.table),
        source=pl.lit(broken.source),
        reason=pl.lit(broken.reason),
        content=as_json(lines),
    )


def as_json(rows: pl.DataFrame) -> pl.Series:
    """Each row as one JSON object, with its columns and values as they were received."""
    if rows.columns == [READY_JSON]:
        return rows[READY_JSON]
    plain = rows.with_columns(_sayable_in_json(rows[name]) for name in rows.columns)
    return plain.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def _sayable_in_json(column: pl.Series) -> pl.Series:
    """The column, or its values as text where JSON has no word for them."""
    kind = column.dtype
    if kind.is_float():
        return column if column.is_finite().all() else column.cast(pl.String)
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if _is_plain(kind) or (isinstance(kind, pl.List) and _is_plain(kind.inner)):
        return column
    if kind in (pl.Datetime, pl.Date, pl.Time) or kind.is_decimal():
        return column.cast(pl.String)
    texts = [None if value is None else str(value) for value in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)


def _is_plain(kind: pl.DataType | pl.datatypes.DataTypeClass) -> bool:
    return kind.is_integer() or kind in (pl.String, pl.Boolean, pl.Null, pl.Categorical, pl.Enum)


def seal(pieces: Sequence[pl.DataFrame], batch_id: str, now: datetime) -> pl.DataFrame:
    """The rows of the table `quarantine`; the same content from the same source is one row, however often.

    Rows that repeat within one ingest are counted, so that each of them is kept.
    """
    rows = pl.concat([piece.select(COLUMNS) for piece in pieces])
    identity = ["table", "source", "content"]
    counted = rows.with_columns(pl.int_range(pl.len()).over(identity).alias("occurrence"))
    return counted.with_columns(
        digest(counted, [*identity, "occurrence"]).alias("quarantine_id"),
        pl.lit(now).dt.cast_time_unit("us").alias("quarantined_at"),
        pl.lit(batch_id).alias("batch_id"),
    ).select(SCHEMAS["quarantine"].names)
