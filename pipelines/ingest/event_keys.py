"""What tells one event from another: (source, event_id), and for events without an id their content.

The same key with the same content is a duplicate. The same key with other content is a conflict: the event
goes to quarantine with both contents, and the stored one stays. The same id and content from another source
is the same event, taken in twice.
"""

from dataclasses import dataclass

import polars as pl

from pipelines.ingest.quarantine import as_json
from pipelines.ingest.row_hash import digest
from pipelines.lake import SCHEMAS, Lake

CONFLICT = "event_id is used by another event of the same source"
DERIVED = "e-"
"""Beginning of an id that was derived from the event's content."""

NOT_CONTENT = ("event_id", "source", "event_on")


@dataclass(frozen=True, slots=True)
class KeyedEvents:
    """Events after their keys were compared among themselves and with the lake."""

    rows: pl.DataFrame
    """To store."""
    duplicates: int
    """Rows left out: the same id and content, stored or met before, or taken out of the lake on purpose."""
    conflicts: pl.DataFrame | None
    """For the quarantine; `content` holds the received and the stored event."""


def number_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Tell equal events without ids apart: of three equal rows of one source, each gets an id of its own.

    The first one's id stays as it is, so that the same file again holds nothing new.
    """
    if not rows["event_id"].str.starts_with(DERIVED).any():
        return rows
    is_derived = pl.col("event_id").str.contains(f"^{DERIVED}[0-9a-f]{{32}}$")
    nth = pl.int_range(pl.len()).over("source", "event_id")
    numbered = pl.concat_str("event_id", pl.lit("-"), nth + 1)
    return rows.with_columns(
        event_id=pl.when(is_derived & (nth > 0)).then(numbered).otherwise(pl.col("event_id"))
    )


def compare_keys(lake: Lake, rows: pl.DataFrame) -> KeyedEvents:
    """Sort out repeats and conflicts among the rows, and between them and the lake.

    Args:
        lake: Where events are stored.
        rows: In the columns of table `events`, in the order in which they were read.
    """
    read = rows.height
    rows = _without_removed(lake, rows)
    taken_out = read - rows.height
    stored = _stored_with(lake, rows["event_id"])
    if stored.is_empty() and not rows["event_id"].is_duplicated().any():
        return KeyedEvents(rows, taken_out, None)
    content = [name for name in rows.columns if name not in NOT_CONTENT]
    rows = rows.with_columns(digest(rows, content).alias("digest"))
    stored = stored.with_columns(digest(stored, content).alias("digest"))
    known = pl.concat([stored, rows]) if not stored.is_empty() else rows
    first = known.unique(["source", "event_id"], keep="first", maintain_order=True)
    compared = rows.join(
        first.select("source", "event_id", pl.col("digest").alias("first")),
        on=["source", "event_id"],
        how="left",
        maintain_order="left",
    )
    is_conflict = compared["digest"] != compared["first"]
    conflicts = _conflicts(rows.filter(is_conflict), first) if is_conflict.any() else None
    agreeing = rows.filter(~is_conflict)
    same = ["event_id", "digest"]
    fresh = agreeing.join(stored.select(same).unique(), on=same, how="anti", maintain_order="left")
    fresh = fresh.unique(same, keep="first", maintain_order=True)
    duplicates = agreeing.height - fresh.height + taken_out
    return KeyedEvents(fresh.select(SCHEMAS["events"].names), duplicates, conflicts)


def _without_removed(lake: Lake, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows whose id and content were not taken out of the lake (`aisle lake remove`)."""
    if rows.is_empty() or not lake.exists("removed_events"):
        return rows
    removed = pl.DataFrame(lake.read("removed_events")).filter(
        pl.col("event_id").is_in(rows["event_id"].implode())
    )
    if removed.is_empty():
        return rows
    content = [name for name in rows.columns if name not in NOT_CONTENT]
    same = removed.select("event_id", digest(removed, content).alias("digest")).unique()
    found = rows.with_columns(digest(rows, content).alias("digest"))
    return found.join(same, on=["event_id", "digest"], how="anti", maintain_order="left").drop("digest")


def _stored_with(lake: Lake, ids: pl.Series) -> pl.DataFrame:
    """The stored events that have one of the ids."""
    if not lake.exists("events"):
        return pl.DataFrame(schema=pl.DataFrame(SCHEMAS["events"].empty_table()).schema)
    return lake.rows_with("events", "event_id", ids)


def _conflicts(rows: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    columns = [name for name in SCHEMAS["events"].names if name != "event_on"]
    both = rows.select(columns).join(
        first.select(columns), on=["source", "event_id"], how="left", suffix="__stored", maintain_order="left"
    )
    received, kept = (
        as_json(both.select(columns)),
        as_json(
            both.select(
                pl.col(name if name in ("source", "event_id") else f"{name}__stored").alias(name)
                for name in columns
            )
        ),
    )
    return pl.DataFrame(
        {
            "table": ["events"] * rows.height,
            "source": rows["source"],
            "reason": [CONFLICT] * rows.height,
            "content": '{"received": ' + received + ', "stored": ' + kept + "}",
        }
    )
