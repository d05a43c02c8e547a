"""Materialization: the newest known values from the lake into the online store, in explicit windows."""

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from feast import FeatureStore, FeatureView
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.offline_store import NewestRows, built_versions, scan_of
from pipelines.features.online_store.sqlite_writer import one_generation
from pipelines.features.registry import last_build, open_store, registry_write_lock, source_of, tables_of
from pipelines.lake import open_lake
from pipelines.runtime import map_ordered
from pipelines.settings import Settings

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of a window that holds everything."""

ATTEMPTS = 3
"""How often to begin anew when features were built meanwhile."""

VIEWS_AT_ONCE = 2
"""Views that are read at the same time, while one is written."""


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

    All views are one generation: a reader sees all of them or none, and a process that dies leaves what was
    there. Two at once wait for each other.

    Args:
        settings: Where the stores are.
        start: Start of the window, inclusive; by default the beginning of time: then late and corrected rows
            and entities without news are written as well, and those that are gone are removed.
        end: End of the window, inclusive; by default, and at the latest, the instant of the last build: a
            window that ends in the future would hide what arrives until then.
        on_view: Told the name and entities of each view when it is done.
    """
    began = time.perf_counter()
    since = EVER if start is None else start.astimezone(UTC)
    lake = open_lake(settings)
    last_build(lake)
    with registry_write_lock(settings):
        for _ in range(ATTEMPTS):
            build = last_build(lake)
            until = build["as_of"] if end is None else min(end.astimezone(UTC), build["as_of"])
            if since > until:
                raise FeatureError(
                    f"expected a window that begins before it ends, received {since} to {until}"
                )
            with contextlib.suppress(_BuiltMeanwhileError):
                written = _write(settings, since, until, on_view, build)
                break
        else:
            raise FeatureError(
                f"expected feature tables that stay as they are meanwhile, but a build ended during each of "
                f"{ATTEMPTS} attempts: wait for the builds to end"
            )
    return MaterializeReport(
        start=since,
        end=until,
        views=written,
        rows=sum(written.values()),
        seconds=round(time.perf_counter() - began, 3),
    )


def _write(
    settings: Settings,
    start: datetime,
    end: datetime,
    on_view: Callable[[str, int], None] | None,
    build: dict[str, Any],
) -> dict[str, int]:
    """Write all views of one build as one generation; entities of each."""
    import duckdb

    store = open_store(settings)
    written: dict[str, int] = {}
    views = _applied_views(store)
    versions = tables_of(build)

    def newest(view: FeatureView) -> tuple[FeatureView, pa.Table]:
        return view, newest_known(store, view, start, end, versions, database)

    with (
        duckdb.connect() as database,
        one_generation(store) as write,
        contextlib.closing(map_ordered(newest, views, VIEWS_AT_ONCE)) as read,
    ):
        for view, rows in read:
            write(view, rows, whole=start == EVER)
            written[view.name] = rows.num_rows
            if on_view is not None:
                on_view(view.name, rows.num_rows)
        if last_build(open_lake(settings)) != build:
            raise _BuiltMeanwhileError
    for view in views:
        store.registry.apply_materialization(view, store.project, start, end, commit=False)
    store.registry.commit()
    return written


class _BuiltMeanwhileError(Exception):
    """The feature tables were built anew while they were read."""


def newest_known(
    store: FeatureStore,
    view: FeatureView,
    start: datetime,
    end: datetime,
    versions: Mapping[str, int] | None = None,
    database: Any = None,
) -> pa.Table:
    """Return the newest row of every entity of a view among those known in a window.

    Args:
        store: Feast.
        view: An applied view.
        start: Start of the window, inclusive.
        end: End of the window, inclusive.
        versions: Which version of the view's table to read; None: that of the last build.
        database: A connection to DuckDB; None: open one.
    """
    source = source_of(view)
    if versions is None:
        versions = built_versions(store.config)
    return NewestRows.in_window(
        scan_of(store.config, source, versions),
        [column.name for column in view.entity_columns],
        [feature.name for feature in view.features],
        (source.timestamp_field, source.created_timestamp_column),
        (start, end),
    ).read(database)


def _applied_views(store: FeatureStore) -> list[FeatureView]:
    """The views that are served online, as the registry knows them; those of one kind of entity together."""
    views = [view for view in store.list_feature_views() if view.online]
    if not views:
        raise FeatureError("expected applied feature views, received none: run `aisle features apply`")
    return sorted(views, key=lambda view: (sorted(view.join_keys), str(view.name)))
