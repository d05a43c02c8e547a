"""A training set of two wide views, one with an array: our offline store beside Feast's on DuckDB."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Array, Float64, Int64, String

from pipelines.bench.features.sides import alternating, digest, median, timed
from pipelines.bench.features.sizes import Sizes

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 120
NUMBERS = 24
"""Numeric features of the first view; half of them whole numbers. The second has a third of them."""

STATES = 12
"""Rows of each user in a view. Feast's store joins every label of a user with every earlier row of that user
before it picks one: with 120 rows of each its memory passed 16 GB here."""

ARRAY_LENGTH = 10
WARM_UP_ROWS = 100
VIEWS = ("activity", "history")


def measure(folder: Path, sizes: Sizes, runs: int) -> dict[str, Any]:
    """`rows seconds peak_mb feast_duckdb_seconds feast_duckdb_peak_mb ratio equal`."""
    folder.mkdir(parents=True)
    write_data(folder, sizes)
    told = alternating(
        (ours, feast_duckdb), {side: {"folder": str(folder)} for side in (ours, feast_duckdb)}, runs
    )
    seconds, peer_seconds = median(told[ours], "seconds"), median(told[feast_duckdb], "seconds")
    return {
        "rows": sizes.entity_rows,
        "seconds": round(seconds, 3),
        "peak_mb": round(median(told[ours], "peak_mb")),
        "feast_duckdb_seconds": round(peer_seconds, 3),
        "feast_duckdb_peak_mb": round(median(told[feast_duckdb], "peak_mb")),
        "ratio": round(peer_seconds / seconds, 2),
        "equal": all(one["digest"] == told[ours][0]["digest"] for side in told.values() for one in side),
    }


def ours(folder: str) -> dict[str, Any]:
    """Our store's time, memory and digest of the answer."""
    kind = "pipelines.features.offline_store.store.AsofOfflineStore"
    return _joined(Path(folder), {"type": kind, "lake_root": folder}, coerce_tz_aware=False)


def feast_duckdb(folder: str) -> dict[str, Any]:
    """Feast's DuckDB store's time, memory and digest of the answer."""
    return _joined(Path(folder), {"type": "duckdb"})


def write_data(folder: Path, sizes: Sizes, seed: int = 0) -> None:
    """Write entity rows and the rows of both views; no key has two rows of one instant."""
    random = np.random.default_rng(seed)
    users = max(10, sizes.view_rows // STATES)
    for view, count in zip(VIEWS, (NUMBERS, NUMBERS // 3), strict=True):
        places = random.permutation(users * DAYS)[: sizes.view_rows]
        rows = len(places)
        columns: dict[str, Any] = {
            "user_id": _user_ids(places // DAYS),
            "known_at": _instants((places % DAYS).astype(np.int64) * 86_400_000_000),
        }
        for number in range(count):
            values = random.integers(0, 1000, rows)
            columns[f"{view}_{number}"] = values if number % 2 else np.where(values < 50, np.nan, values / 7)
        if view == "history":
            flat = pa.array(random.integers(0, 100_000, rows * ARRAY_LENGTH))
            offsets = pa.array(np.arange(0, (rows + 1) * ARRAY_LENGTH, ARRAY_LENGTH, dtype=np.int32))
            columns["last_items"] = pa.ListArray.from_arrays(offsets, flat)
        pq.write_table(pa.table(columns), folder / f"{view}.parquet")
    who = random.integers(0, users, sizes.entity_rows)
    seconds = random.integers(0, DAYS * 86_400, sizes.entity_rows)
    # Feast's store merges entity rows that are alike: ours here are not, by their microsecond.
    micros = seconds.astype(np.int64) * 1_000_000 + np.arange(sizes.entity_rows) % 1_000_000
    table = {
        "user_id": _user_ids(who),
        "event_timestamp": _instants(micros),
        "row": np.arange(sizes.entity_rows),
    }
    pq.write_table(pa.table(table), folder / "entities.parquet")


def _joined(folder: Path, offline_store: dict[str, str], **config: Any) -> dict[str, Any]:
    """Join them as configured: a few first, so that everything is imported, and then all."""
    store = _store(folder, offline_store, **config)
    frame: pd.DataFrame = pq.read_table(folder / "entities.parquet").to_pandas()
    refs = [f"{view.name}:{one.name}" for view in store.list_feature_views() for one in view.features]
    store.get_historical_features(frame.head(WARM_UP_ROWS), refs).to_arrow()
    answer, seconds, peak_mb = timed(lambda: store.get_historical_features(frame, refs).to_arrow())
    return {
        "seconds": seconds,
        "peak_mb": peak_mb,
        "digest": digest(answer.drop_columns(["event_timestamp"]), "row"),
    }


def _store(folder: Path, offline_store: dict[str, str], **config: Any) -> FeatureStore:
    store = FeatureStore(
        config=RepoConfig(
            **config,
            project="bench",
            provider="local",
            registry=str(folder / f"registry-{offline_store['type']}.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store=offline_store,
            entity_key_serialization_version=3,
        )
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)

    def view(name: str, count: int, *more: Field) -> FeatureView:
        numbers = [
            Field(name=f"{name}_{number}", dtype=Int64 if number % 2 else Float64) for number in range(count)
        ]
        path = str(folder / f"{name}.parquet")
        return FeatureView(
            name=name,
            entities=[user],
            ttl=timedelta(days=60),
            schema=[Field(name="user_id", dtype=String), *numbers, *more],
            source=FileSource(name=f"{name}_source", path=path, timestamp_field="known_at"),
        )

    store.apply(
        [
            user,
            view("activity", NUMBERS),
            view("history", NUMBERS // 3, Field(name="last_items", dtype=Array(Int64))),
        ]
    )
    return store


def _user_ids(numbers: Any) -> pa.Array:
    return pa.array(np.char.add("user-", numbers.astype(str)), pa.string())


def _instants(microseconds: Any) -> pa.Array:
    start = int(START.timestamp()) * 1_000_000
    return pa.array(start + microseconds, pa.timestamp("us", tz="UTC"))
