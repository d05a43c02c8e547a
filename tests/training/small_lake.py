"""Lakes of a few rows for tests of training."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.lake import SCHEMAS, Lake

KNOWN = datetime(2023, 12, 1, tzinfo=UTC)


def on(day: int, hour: int = 12, month: int = 1) -> datetime:
    """An instant of early 2024."""
    return datetime(2024, month, day, hour, tzinfo=UTC)


def event(user: str, item: str | None, at: datetime, kind: str = "purchase", **more: Any) -> dict[str, Any]:
    """A row of the table `events`."""
    return {
        "event_id": f"{user}-{item}-{at.isoformat()}-{kind}",
        "event_at": at,
        "event_on": date(at.year, at.month, at.day),
        "user_id": user,
        "event_type": kind,
        "item_id": item,
        "source": "test",
        **more,
    }


def item(item_id: str, title: str, category: str = "", updated_at: datetime = KNOWN) -> dict[str, Any]:
    """A row of the table `items`."""
    return {
        "item_id": item_id,
        "title": title,
        "description": "",
        "category": category,
        "brand": "",
        "attributes": [],
        "available": True,
        "updated_at": updated_at,
    }


def small_lake(
    folder: Path, events: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]] | None = None
) -> Lake:
    """A lake with these rows; without `items`, it has no such table."""
    lake = Lake(folder)
    lake.append("events", pa.Table.from_pylist(list(events), SCHEMAS["events"]))
    if items is not None:
        lake.append("items", pa.Table.from_pylist(list(items), SCHEMAS["items"]))
    return lake
