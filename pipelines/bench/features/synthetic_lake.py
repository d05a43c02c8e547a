"""A lake with synthetic feature tables in exactly the columns that are declared, and one with events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.features.registry import declared_views, lake_schema_of, lake_table_of, remember_build
from pipelines.features.transforms import FeatureConfig
from pipelines.lake import SCHEMAS, Lake
from pipelines.settings import Settings

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
DAYS = 120
DIFFERENT = 5_000
"""Different values of a column, about."""
LIST_LENGTH = 50
"""Elements of each list: a history of fifty events is about what a household of the demo has in a month."""


def write_feature_tables(home: Path, entities: int, seed: int = 0) -> Settings:
    """Write one row of each entity for every declared view; return the settings of the home."""
    settings = Settings(home=home, lake_uri=str(home / "lake"))
    lake, random = Lake(home / "lake"), np.random.default_rng(seed)
    tables = {}
    for name, view in declared_views().items():
        schema = lake_schema_of(view)
        key = view.entity_columns[0].name
        columns = [_column(field, key, entities, random) for field in schema]
        lake.replace(lake_table_of(view), pa.table(columns, schema))
        tables[name] = lake.version(lake_table_of(view))
    remember_build(
        lake,
        as_of=AS_OF,
        known_from=AS_OF - timedelta(days=DAYS),
        config=FeatureConfig(),
        inputs={},
        versions=tables,
    )
    return settings


def write_events(home: Path, events: int, seed: int = 0) -> Lake:
    """Write events of a shop: views, carts, purchases and searches of some thousands of users."""
    lake, random = Lake(home / "lake"), np.random.default_rng(seed)
    users, items = max(20, events // 300), max(50, events // 100)
    who = random.integers(0, users, events)
    seconds = np.sort(random.integers(0, DAYS * 86_400, events))
    kinds = random.choice(np.array(["view", "cart", "purchase", "search"]), events, p=[0.6, 0.15, 0.2, 0.05])
    at = int((AS_OF - timedelta(days=DAYS)).timestamp()) * 1_000_000 + seconds * 1_000_000
    bought, searched = kinds == "purchase", kinds == "search"
    what = np.minimum(items - 1, random.zipf(1.3, events) - 1)
    days = (at // 86_400_000_000).astype("datetime64[D]")
    given: dict[str, Any] = {
        "event_id": pa.array(np.char.zfill(np.arange(events).astype(str), 9)),
        "event_at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "event_on": pa.array(days),
        "user_id": _ids("user-", who),
        "session_id": pa.array(np.char.add("s", (who * 10_000 + seconds // 14_400).astype(str))),
        "event_type": pa.array(kinds),
        "item_id": pa.array(np.char.add("item-", what.astype(str)), mask=searched),
        "quantity": pa.array(random.integers(1, 4, events).astype(np.float64), mask=~bought),
        "price": pa.array(random.integers(50, 5000, events) / 100, mask=~bought),
        "discount": pa.array(random.integers(0, 50, events) / 100, mask=~bought),
        "source": pa.array(np.full(events, "bench")),
    }
    schema = SCHEMAS["events"]
    columns = [
        given[field.name].cast(field.type) if field.name in given else pa.nulls(events, field.type)
        for field in schema
    ]
    lake.replace("events", pa.table(columns, schema))
    for name in ("items", "users"):
        lake.replace(name, SCHEMAS[name].empty_table())
    return lake


def _column(field: pa.Field, key: str, rows: int, random: np.random.Generator) -> pa.Array:
    if field.name == key:
        return _ids(f"{key.removesuffix('_id')}-", np.arange(rows))
    if pa.types.is_timestamp(field.type):
        days = random.integers(0, DAYS, rows)
        stamps = (int(AS_OF.timestamp()) - days * 86_400).astype(np.int64) * 1_000_000
        return pa.array(stamps, field.type)
    if pa.types.is_list(field.type):
        flat = _scalars(field.type.value_type, rows * LIST_LENGTH, random)
        offsets = pa.array(np.arange(0, (rows + 1) * LIST_LENGTH, LIST_LENGTH, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, flat)
    return _scalars(field.type, rows, random, unknown=0.1)


def _scalars(kind: pa.DataType, rows: int, random: np.random.Generator, unknown: float = 0.0) -> pa.Array:
    mask = random.random(rows) < unknown
    numbers = random.integers(0, DIFFERENT, rows)
    if pa.types.is_string(kind):
        # Taken from a few: millions of texts out of NumPy come as several arrays.
        return _ids("value-", np.arange(DIFFERENT)).take(pa.array(numbers, mask=mask))
    if pa.types.is_boolean(kind):
        return pa.array(numbers % 2 == 0, kind, mask=mask)
    return pa.array(numbers / 7 if pa.types.is_floating(kind) else numbers, kind, mask=mask)


def _ids(prefix: str, numbers: Any) -> pa.Array:
    return pa.array(np.char.add(prefix, numbers.astype(str)), pa.string())
