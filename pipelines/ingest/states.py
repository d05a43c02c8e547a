"""States of items and users: a catalogue says how things are, it is no log of what happened."""

from collections import Counter
from datetime import datetime

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.enrich import STATE_IDS
from pipelines.ingest.row_hash import digest
from pipelines.lake import SCHEMAS, Lake


def last_rows(table: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    """One row for each item or user and date: of several rows of a feed, the last one counts."""
    key = STATE_IDS[table]
    kept = rows.unique([key, "updated_at"], keep="last", maintain_order=True)
    repeats = {f"{table}: rows left out, a later one of the same {key} counts": rows.height - kept.height}
    return kept, +Counter(repeats)


def changed_states(
    lake: Lake, table: str, rows: pl.DataFrame, now: datetime, *, full: bool = False
) -> pl.DataFrame:
    """Dated states without those that say what was known already.

    A state of which nothing but the date is new is left out. One that differs from a stored state of the same
    date was changed without a new date, and holds from now on; so does one of a full catalogue that differs
    from a stored state of a later date, such as an item that was gone for a while.

    Args:
        lake: Where states are stored.
        table: `items` or `users`.
        rows: In the columns of the table, dated.
        now: The present.
        full: Whether the rows are all that the shop has, as it is now.
    """
    if rows.is_empty():
        return rows
    key = STATE_IDS[table]
    content = [name for name in SCHEMAS[table].names if name not in (key, "updated_at")]
    rows = rows.with_columns(digest(rows, content).alias("content"))
    stored = _stored(lake, table, rows[key])
    stored = stored.select(key, "updated_at", digest(stored, content).alias("content"))
    newest = stored.sort("updated_at").unique(key, keep="last")
    known = rows.join(newest, on=key, how="left", suffix="_stored", maintain_order="left")
    is_behind = pl.col("updated_at_stored") == pl.col("updated_at")
    if full:
        is_behind |= pl.col("updated_at_stored") > pl.col("updated_at")
    is_latest = pl.col("updated_at") == pl.col("updated_at").max().over(key)
    is_changed = pl.col("content") != pl.col("content_stored")
    dated = known.with_columns(
        pl.when(is_behind & is_latest & is_changed)
        .then(pl.lit(now).dt.cast_time_unit("us"))
        .otherwise("updated_at")
        .alias("updated_at"),
    ).with_row_index("row")
    history = pl.concat(
        [
            stored.with_columns(row=pl.lit(None, pl.UInt32)),
            dated.select(key, "updated_at", "content", "row"),
        ]
    ).sort(key, "updated_at", "row", nulls_last=False)
    news = history.filter(
        pl.col("row").is_not_null()
        & (pl.col("content") != pl.col("content").shift(1).over(key)).fill_null(value=True)
    )
    return dated.filter(pl.col("row").is_in(news["row"].implode())).select(SCHEMAS[table].names)


def gone_items(lake: Lake, seen: pl.Series, now: datetime, most_gone: float) -> pl.DataFrame:
    """States in which items that a full catalogue no longer has are no longer offered.

    Args:
        lake: Where items are stored.
        seen: Item ids of the catalogue, those of quarantined rows included.
        now: Since when they are gone.
        most_gone: Share of the items on offer that may be gone.

    Raises:
        IngestError: More of them are gone; the catalogue is taken to be cut off.
    """
    if not lake.exists("items"):
        return pl.DataFrame(SCHEMAS["items"].empty_table())
    stored = pl.DataFrame(lake.read("items")).sort("updated_at").unique("item_id", keep="last")
    on_offer = stored.filter("available")
    gone = on_offer.filter(~pl.col("item_id").is_in(seen.implode()))
    if gone.height > most_gone * on_offer.height:
        raise IngestError(
            f"the catalogue lacks {gone.height:,} of {on_offer.height:,} items on offer, expected at most "
            f"{most_gone:.0%} to be gone. Nothing was taken in. If the feed is whole, raise `most_gone` of "
            "`items` in the mapping; if it holds changes alone, leave out `full`."
        )
    since = pl.max_horizontal(pl.lit(now), pl.col("updated_at") + pl.duration(microseconds=1))
    return gone.with_columns(available=pl.lit(value=False), updated_at=since.dt.cast_time_unit("us"))


def _stored(lake: Lake, table: str, ids: pl.Series) -> pl.DataFrame:
    if not lake.exists(table):
        return pl.DataFrame(SCHEMAS[table].empty_table())
    return lake.rows_with(table, STATE_IDS[table], ids)
