"""A synthetic shop of any number of events, in which users come in visits of a few events."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lake import SCHEMAS, Lake
from serving.bundle import CATEGORY_SEPARATOR

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
DAYS = 120
EVENTS_OF_A_USER, EVENTS_OF_AN_ITEM, EVENTS_OF_A_VISIT = 50, 200, 6
PART_EVENTS = 1_000_000
"""Events that are made at a time, so that memory does not grow with the shop."""

KINDS = ("view", "cart", "purchase", "search")
SHARES = (0.6, 0.15, 0.2, 0.05)


def write_growing_shop(home: Path, events: int, seed: int = 0) -> None:
    """Write a lake with this many events, one item for each 200 of them and one user for each 50."""
    lake, random = Lake(home / "lake"), np.random.default_rng(seed)
    users, items = max(20, events // EVENTS_OF_A_USER), max(50, events // EVENTS_OF_AN_ITEM)
    for name in ("events", "items", "users"):
        lake.replace(name, SCHEMAS[name].empty_table())
    lake.replace("items", _items(items))
    for part in _parts(events, users, items, random):
        lake.append("events", part)


def _parts(events: int, users: int, items: int, random: np.random.Generator) -> Iterator[pa.Table]:
    """Parts of the events, one after the other in time."""
    parts = -(-events // PART_EVENTS)
    bounds = np.linspace(0, events, parts + 1).astype(np.int64)
    width = DAYS * 86_400 / parts
    for number in range(parts):
        rows = int(bounds[number + 1] - bounds[number])
        visits = -(-rows // EVENTS_OF_A_VISIT)
        starts = random.uniform(number * width, (number + 1) * width - 3_600, visits)
        yield _events(
            ids=np.arange(bounds[number], bounds[number + 1]),
            visit=np.arange(rows) // EVENTS_OF_A_VISIT + number * PART_EVENTS,
            user=np.repeat(random.integers(0, users, visits), EVENTS_OF_A_VISIT)[:rows],
            seconds=np.repeat(starts, EVENTS_OF_A_VISIT)[:rows] + np.arange(rows) % EVENTS_OF_A_VISIT * 40,
            item=np.minimum(items - 1, random.zipf(1.3, rows) - 1),
            kind=random.choice(len(KINDS), rows, p=SHARES),
            random=random,
        )


def _events(
    ids: Any, visit: Any, user: Any, seconds: Any, item: Any, kind: Any, random: np.random.Generator
) -> pa.Table:
    rows = len(ids)
    at = int((AS_OF - timedelta(days=DAYS)).timestamp()) * 1_000_000 + (seconds * 1_000_000).astype(np.int64)
    bought, searched = kind == KINDS.index("purchase"), kind == KINDS.index("search")
    given: dict[str, Any] = {
        "event_id": _named("e", ids),
        "event_at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "event_on": pa.array((at // 86_400_000_000).astype("datetime64[D]")),
        "user_id": _named("user-", user),
        "session_id": _named("visit-", visit),
        "event_type": pa.array(KINDS).take(pa.array(kind)),
        "item_id": pc.if_else(pa.array(searched), None, _named("item-", item)),
        "quantity": pa.array(random.integers(1, 4, rows).astype(np.float64), mask=~bought),
        "price": pa.array(random.integers(50, 5000, rows) / 100, mask=~bought),
        "discount": pa.array(random.integers(0, 50, rows) / 100, mask=~bought),
        "source": pa.array(["bench"]).take(pa.array(np.zeros(rows, np.int64))),
    }
    columns = [given.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMAS["events"]]
    return pa.table(columns, SCHEMAS["events"].names).cast(SCHEMAS["events"])


def _items(items: int) -> pa.Table:
    """A catalogue of a hundred categories in ten departments, and of fifty brands."""
    numbers = np.arange(items)
    texts = {
        "item_id": _named("item-", numbers),
        "title": _named("Item ", numbers),
        "description": _named("This is item ", numbers),
        "category": pc.binary_join_element_wise(
            _named("Department ", numbers % 10), _named("Aisle ", numbers % 100), CATEGORY_SEPARATOR
        ),
        "brand": _named("Brand ", numbers % 50),
    }
    rest = {
        "price": pa.array(numbers % 5000 / 100),
        "attributes": pa.array([[]], pa.list_(pa.string())).take(pa.array(np.zeros(items, np.int64))),
        "available": pa.array(np.ones(items, bool)),
        "updated_at": pa.array(np.full(items, 1_577_836_800_000_000), pa.timestamp("us", tz="UTC")),
    }
    schema, given = SCHEMAS["items"], texts | rest
    columns = [given.get(field.name, pa.nulls(items, field.type)) for field in schema]
    return pa.table(columns, schema.names).cast(schema)


def _named(prefix: str, numbers: Any) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")
