"""A shop of a few rows, written by hand in the lake's columns."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow as pa

from pipelines.features.build import feature_tables
from pipelines.features.engines.duckdb import duckdb_engine
from pipelines.features.registry.declarations import declared_views, lake_schema_of
from pipelines.features.transforms.config import FeatureConfig
from pipelines.features.transforms.inputs import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, known_shop
from pipelines.lake import SCHEMAS, Lake

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(
    user_id: str, when: str, event_type: str, item_id: str | None = None, **more: Any
) -> dict[str, Any]:
    return {"user_id": user_id, "event_at": at(when), "event_type": event_type, "item_id": item_id, **more}


def write_shop(
    root: Path,
    events: Sequence[dict[str, Any]],
    items: Sequence[dict[str, Any]] = (),
    users: Sequence[dict[str, Any]] = (),
) -> Lake:
    """Write rows to a lake; what they leave out is what a shop that says nothing would have."""
    lake = Lake(root)
    numbered = [
        {"event_id": f"e{number:05}", "event_on": row["event_at"].date(), "source": "test"} | row
        for number, row in enumerate(events)
    ]
    item_rest = {
        "title": "",
        "description": "",
        "category": "",
        "brand": "",
        "attributes": [],
        "available": True,
    }
    user_rest = {"consent": True, "attributes": []}
    lake.replace("events", pa.Table.from_pylist(numbered, SCHEMAS["events"]))
    lake.replace(
        "items",
        pa.Table.from_pylist([item_rest | {"updated_at": LONG_AGO} | row for row in items], SCHEMAS["items"]),
    )
    lake.replace(
        "users",
        pa.Table.from_pylist([user_rest | {"updated_at": LONG_AGO} | row for row in users], SCHEMAS["users"]),
    )
    return lake


def table_of(
    lake: Lake, view: str, as_of: datetime, config: FeatureConfig | None = None
) -> list[dict[str, Any]]:
    """The rows of one feature table, computed from a lake, in the order of key and time."""
    config = config or FeatureConfig()
    schema = lake_schema_of(declared_views()[view])
    with duckdb_engine() as ours:
        shop = known_shop(
            ours.table(lake, "events", EVENT_COLUMNS),
            ours.table(lake, "items", ITEM_COLUMNS),
            ours.table(lake, "users", USER_COLUMNS),
            as_of=as_of,
            span_days=config.span_days,
            keep=ours.keep,
        )
        table: ir.Table = (
            feature_tables(config)[view](shop).select(*schema.names).cast(sch.Schema.from_pyarrow(schema))
        )
        rows = ours.rows(table, schema).read_all().to_pylist()
    return sorted(rows, key=lambda row: (next(iter(row.values())), row["known_at"]))
