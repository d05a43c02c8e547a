"""Materialization: the newest known values from the lake into the online store, in explicit windows."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
from feast import FeatureStore, FeatureView
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.declared import source_of
from pipelines.features.feast_repo import open_store
from pipelines.features.offline_store import AsofOfflineStore
from pipelines.features.online_writer import write_online
from pipelines.features.provenance import last_build
from pipelines.lake import open_lake
from pipelines.settings import Settings

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of a window that holds everything."""


class MaterializeReport(BaseModel):
    """What was written to the online store."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    """Start of the window, inclusive."""

    end: datetime
    """End of the window, inclusive."""

    views: dict[str, int]
    """Entities that were written of each feature view."""

    rows: int
    """Entities of all views."""

    seconds: float
    """How long it took."""


def materialize(
    settings: Settings,
    start: datetime | None = None,
    end: datetime | None = None,
    on_view: Callable[[str, int], None] | None = None,
) -> MaterializeReport:
    """Write the newest values known in a window to the online store; doing it again changes nothing.

    Args:
        settings: Where the stores are.
        start: Start of the window, inclusive; by default the beginning of time: then late and corrected rows
            and entities without news are written as well, and those that are gone are removed.
        end: End of the window, inclusive; by default, and at the latest, the instant of the last build: a
            window that ends in the future would hide what arrives until then.
        on_view: Told the name and entities of each view when it is done.
    """
    built_at: datetime = last_build(open_lake(settings))["as_of"]
    start = EVER if start is None else start.astimezone(UTC)
    end = built_at if end is None else min(end.astimezone(UTC), built_at)
    if start > end:
        raise FeatureError(f"expected a window that begins before it ends, received {start} to {end}")
    began = time.perf_counter()
    store = open_store(settings)
    written: dict[str, int] = {}
    for view in _applied_views(store):
        rows = newest_known(store, view, start, end)
        write_online(store, view, rows, whole=start == EVER)
        store.registry.apply_materialization(view, store.project, start, end)
        written[view.name] = rows.num_rows
        if on_view is not None:
            on_view(view.name, rows.num_rows)
    return MaterializeReport(
        start=start,
        end=end,
        views=written,
        rows=sum(written.values()),
        seconds=round(time.perf_counter() - began, 3),
    )


def newest_known(store: FeatureStore, view: FeatureView, start: datetime, end: datetime) -> pa.Table:
    """Return the newest row of every entity of a view among those known in a window, both ends included."""
    source = source_of(view)
    return AsofOfflineStore.pull_latest_from_table_or_query(
        store.config,
        source,
        [column.name for column in view.entity_columns],
        [feature.name for feature in view.features],
        source.timestamp_field,
        source.created_timestamp_column or None,
        start,
        end,
    ).to_arrow()


def _applied_views(store: FeatureStore) -> list[FeatureView]:
    """The views that are served online, as the registry knows them."""
    views = [view for view in store.list_feature_views() if view.online]
    if not views:
        raise FeatureError("expected applied feature views, received none: run `aisle features apply`")
    return sorted(views, key=lambda view: str(view.name))
