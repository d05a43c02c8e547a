"""Filling in what a shop's files do not say: defaults, derived identifiers, since when a state holds."""

from collections import Counter
from datetime import datetime

import polars as pl

from pipelines.ingest.columns import TABLES
from pipelines.ingest.contracts import EPOCH
from pipelines.ingest.row_hash import digest
from pipelines.lake import CATEGORY_SEPARATOR, KEYS, SCHEMAS, Lake

STATE_IDS = {"items": "item_id", "users": "user_id"}
"""Tables whose rows are states that follow one another, and what they are states of."""


def complete(table: str, rows: pl.DataFrame, source: str) -> tuple[pl.DataFrame, Counter[str]]:
    """The rows with every required column filled; events without an identifier get one from their content."""
    match table:
        case "events":
            return _complete_events(rows, source)
        case "items":
            return _complete_items(rows)
        case "users":
            return _complete_users(rows)
        case _:
            return rows.select(SCHEMAS[table].names), Counter()


def _complete_events(rows: pl.DataFrame, source: str) -> tuple[pl.DataFrame, Counter[str]]:
    without = rows["event_id"].is_null()
    if without.any():
        content = [column.name for column in TABLES["events"] if column.name not in ("event_id", "source")]
        derived = "e-" + digest(rows, content)
        rows = rows.with_columns(derived.zip_with(without, rows["event_id"]).alias("event_id"))
    filled = rows.with_columns(
        pl.col("event_at").dt.date().alias("event_on"), pl.col("source").fill_null(source)
    )
    steps = Counter({"events.event_id: derived from the event's content": int(without.sum())})
    return filled.select(SCHEMAS["events"].names), +steps


def _complete_items(rows: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """An item without a title is called by its brand and its last category, or by its identifier."""
    last_category = pl.col("category").str.split(CATEGORY_SEPARATOR).list.last()
    made_up = pl.concat_str([pl.col("brand"), last_category], separator=" ", ignore_nulls=True).replace(
        "", None
    )
    steps = Counter({"items.title: made up from brand and category": rows["title"].null_count()})
    filled = rows.with_columns(
        pl.coalesce("title", made_up, "item_id").alias("title"),
        pl.col("description", "category", "brand").fill_null(""),
        pl.col("attributes").fill_null([]),
        pl.col("available").fill_null(value=True),
    )
    return filled.select(SCHEMAS["items"].names), +steps


def _complete_users(rows: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """A shop that keeps no consent hands over whom it may; where it keeps one, silence is a no."""
    keeps_consent = rows["consent"].is_not_null().any()
    filled = rows.with_columns(
        pl.col("consent").fill_null(value=not keeps_consent), pl.col("attributes").fill_null([])
    )
    return filled.select(SCHEMAS["users"].names), Counter()


def conflicts(table: str, rows: pl.DataFrame) -> Counter[str]:
    """How many rows share a key with an earlier one and say something else; of them the first is kept."""
    key = list(KEYS[table])
    others = [name for name in rows.columns if name not in (*key, "source")]
    if not others or rows.n_unique(key) == rows.height:
        return Counter()
    repeated = rows.filter(pl.struct(key).is_duplicated())
    different = repeated.with_columns(digest(repeated, others).alias("content")).unique([*key, "content"])
    return +Counter(
        {f"{table}: other rows of the same key left out": different.height - different.n_unique(key)}
    )


def date_states(lake: Lake, table: str, rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """States that the shop does not date: a first one holds from 1970 on, a changed one from now on.

    An undated state that equals the stored one takes its date, so that it is found to be a duplicate.
    """
    undated = rows["updated_at"].is_null()
    if not undated.any():
        return rows
    key = STATE_IDS[table]
    content = [name for name in SCHEMAS[table].names if name not in (key, "updated_at")]
    rows = rows.with_columns(digest(rows, content).alias("content"))
    stored = _newest_states(lake, table, key, rows.filter(undated)[key], content)
    dated = rows.join(stored, on=key, how="left", maintain_order="left").with_columns(
        pl.coalesce(
            "updated_at",
            pl.when(pl.col("stored_at").is_null())
            .then(pl.lit(EPOCH))
            .when(pl.col("content") == pl.col("stored_content"))
            .then("stored_at")
            .otherwise(pl.lit(now)),
        )
        .dt.cast_time_unit("us")
        .alias("updated_at")
    )
    return dated.select(SCHEMAS[table].names)


def _newest_states(lake: Lake, table: str, key: str, ids: pl.Series, content: list[str]) -> pl.DataFrame:
    """The newest stored state of each id: when it began to hold, and the digest of what it holds."""
    if not lake.exists(table):
        empty = {key: pl.String(), "stored_at": pl.Datetime("us", "UTC"), "stored_content": pl.String()}
        return pl.DataFrame(schema=empty)
    stored = pl.DataFrame(lake.read(table)).join(ids.unique().to_frame(), on=key, how="semi")
    newest = stored.sort("updated_at").unique(subset=key, keep="last")
    return newest.select(
        key, pl.col("updated_at").alias("stored_at"), digest(newest, content).alias("stored_content")
    )
