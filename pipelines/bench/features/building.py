"""Building user activity and user history from raw events: ours beside pandas."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.bench.features import pandas_features
from pipelines.bench.features.sides import alternating, digest, median, timed
from pipelines.bench.features.sizes import Sizes
from pipelines.bench.features.synthetic_lake import AS_OF, DAYS, write_events
from pipelines.features import feature_tables
from pipelines.features.engines import duckdb_engine
from pipelines.features.registry import declared_views, lake_schema_of
from pipelines.features.transforms import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    FeatureConfig,
    day_of,
    known_shop,
)
from pipelines.lake import Lake

VIEWS = ("user_activity", "user_history")
CONFIG = FeatureConfig(span_days=DAYS + 1, history_length=64)
"""Every day is in the span. A history of 512 would measure how fast lists are copied, on both sides."""


def measure(folder: Path, sizes: Sizes, runs: int) -> dict[str, Any]:
    """`events seconds pandas_seconds ratio equal`."""
    folder.mkdir(parents=True)
    write_events(folder, sizes.events)
    told = alternating((ours, in_pandas), {side: {"home": str(folder)} for side in (ours, in_pandas)}, runs)
    mine, peer = (median(told[side], "seconds") for side in (ours, in_pandas))
    return {
        "events": sizes.events,
        "seconds": round(mine, 3),
        "pandas_seconds": round(peer, 3),
        "ratio": round(peer / mine, 2),
        "equal": all(one["digests"] == told[ours][0]["digests"] for side in told.values() for one in side),
    }


def ours(home: str) -> dict[str, Any]:
    """By the expressions that build the feature tables."""
    lake = Lake(Path(home) / "lake")

    def build() -> dict[str, pa.Table]:
        with duckdb_engine() as duckdb:
            shop = known_shop(
                duckdb.table(lake, "events", EVENT_COLUMNS),
                duckdb.table(lake, "items", ITEM_COLUMNS),
                duckdb.table(lake, "users", USER_COLUMNS),
                as_of=AS_OF,
                span_days=CONFIG.span_days,
                keep=duckdb.keep,
            )
            tables = feature_tables(CONFIG)
            schemas = {view: lake_schema_of(declared_views()[view]) for view in VIEWS}
            return {
                view: duckdb.rows(tables[view](shop).select(*schema.names), schema).read_all()
                for view, schema in schemas.items()
            }

    return _told(*timed(build))


def in_pandas(home: str) -> dict[str, Any]:
    """The same tables in pandas."""
    files = Lake(Path(home) / "lake").uris("events")

    def build() -> dict[str, Any]:
        events = pandas_features.read_events(files, int(AS_OF.timestamp()) * 1_000_000)
        first, last = day_of(AS_OF - timedelta(days=CONFIG.span_days)), day_of(AS_OF)
        return {
            "user_activity": pandas_features.user_activity(events, first, last),
            "user_history": pandas_features.user_history(events, CONFIG.history_length),
        }

    frames, seconds, peak_mb = timed(build)
    tables = {
        view: pa.Table.from_pandas(
            frame, schema=lake_schema_of(declared_views()[view]), preserve_index=False, safe=False
        )
        for view, frame in frames.items()
    }
    return _told(tables, seconds, peak_mb)


def _told(tables: dict[str, pa.Table], seconds: float, peak_mb: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "peak_mb": peak_mb,
        "digests": {view: digest(_with_row_key(table), "row_key") for view, table in tables.items()},
    }


def _with_row_key(table: pa.Table) -> pa.Table:
    """The table with one column that names a row: user and instant."""
    import pyarrow.compute as pc

    stamps = table["known_at"].cast(pa.int64()).cast(pa.string())
    return table.append_column("row_key", pc.binary_join_element_wise(table["user_id"], stamps, "@"))
