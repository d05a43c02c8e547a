"""Feast's offline store for the lake: point-in-time joins that return every row, once and in order.

Feast's own stores lose rows (`file`) or take several times the seconds and memory (`duckdb`).
Named by class path in `feature_store.yaml`. DuckDB and the lake are imported when a query runs: a process
that only reads the online store needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.types import Array

from pipelines.errors import FeatureError
from pipelines.features.offline_store.asof_sql import JoinedView, asof_join
from pipelines.features.offline_store.entity_rows import entity_rows
from pipelines.features.offline_store.retrieval_job import AsofRetrievalJob
from serving.features.online_store import quoted

if TYPE_CHECKING:
    import duckdb

    from pipelines.features.offline_store.point_in_time import PointInTimeJoin
    from pipelines.features.offline_store.sources import Scan


AT_ONCE = 2
"""Views that are joined, and then groups of columns that are put together, at the same time."""

COLUMNS_OF_A_GROUP = 4
"""Features of a view that are read together."""


class AsofOfflineStoreConfig(FeastConfigBaseModel):
    """Section `offline_store` of `feature_store.yaml`."""

    type: Literal["pipelines.features.offline_store.store.AsofOfflineStore"] = (
        "pipelines.features.offline_store.store.AsofOfflineStore"
    )
    """Class path of the store."""

    lake_root: str
    """Root of the lake whose tables the sources name; a path or an `s3://` address."""


class AsofOfflineStore(OfflineStore):
    """Point-in-time joins over Delta and Parquet, which DuckDB reads."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | pa.Table | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **_: Any,
    ) -> AsofRetrievalJob:
        """Return every entity row once, in order, with the features as known at its instant."""
        if isinstance(entity_df, pa.Table):
            entity_df = entity_df.to_pandas()
        if not isinstance(entity_df, pd.DataFrame):
            raise FeatureError(
                "expected a data frame of entity rows, one for each key and instant, received "
                f"{type(entity_df).__name__}: list the rows whose features you want"
            )
        frame = entity_df
        timestamp = infer_event_timestamp_from_entity_df(dict(frame.dtypes))
        versions = _built_versions(config)
        scans = [_scan(config, view.batch_source, versions) for view in feature_views]
        datasets = {name: data for scan in scans for name, data in scan.datasets.items()}
        views = [
            _joined(scan, view, feature_refs, full_feature_names)
            for scan, view in zip(scans, feature_views, strict=True)
        ]
        queries = [asof_join(view, created_before=filter_by_created_timestamp) for view in views]
        entities = entity_rows(frame, timestamp, [key for view in views for key, _ in view.keys])

        def joining() -> PointInTimeJoin:
            from pipelines.features.offline_store.point_in_time import PointInTimeJoin

            return PointInTimeJoin(entities.joined, datasets, created_before=filter_by_created_timestamp)

        def known_at() -> pa.Table:
            names = [f"{view.projection.name_to_use()}__known_at" for view in feature_views]
            with joining() as join:
                return pa.table([join.known_at(view) for view in views], names)

        return AsofRetrievalJob(
            lambda: _join(joining(), entities.shown, views),
            ";\n".join(queries),
            known_at,
            full_feature_names=full_feature_names,
            on_demand_feature_views=OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            metadata=RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in frame.columns if name != timestamp],
                min_event_timestamp=entities.first_at,
                max_event_timestamp=entities.last_at,
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> AsofRetrievalJob:
        """Return the newest row of every key in a window, both ends included."""
        from pipelines.features.offline_store.latest_rows import NewestRows

        newest = NewestRows.in_window(
            _scan(config, data_source, _built_versions(config)),
            join_key_columns,
            feature_name_columns,
            (timestamp_field, created_timestamp_column),
            (start_date, end_date),
        )
        return AsofRetrievalJob(newest.read, newest.sql)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofRetrievalJob:
        """Return all rows in a window, both ends included."""
        stamps = [name for name in (timestamp_field, created_timestamp_column) if name]
        columns = ", ".join(map(quoted, [*join_key_columns, *feature_name_columns, *stamps]))
        scan = _scan(config, data_source, _built_versions(config))
        query = f"SELECT {columns} FROM {scan.sql} WHERE {_window(timestamp_field, start_date, end_date)}"
        return AsofRetrievalJob(lambda: _answer(query, scan.datasets), query)

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Check that the source names files that this store can read."""
        _scan(config, data_source, {})


def _connection(datasets: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    for name, dataset in datasets.items():
        connection.register(name, dataset)
    return connection


def _join(joining: PointInTimeJoin, answer: pa.Table, views: Sequence[JoinedView]) -> pa.Table:
    """Add what each view knew of the entity rows to the answer, row by row."""
    from pipelines.features.offline_store.row_selection import RowSelection
    from pipelines.features.offline_store.spill import SpilledColumns
    from pipelines.runtime import map_ordered

    kept = SpilledColumns()
    with joining as join:
        asked = map_ordered(lambda view: RowSelection.at(join.positions(view)), views, AT_ONCE)
        groups = [
            (some, rows) for view, rows in zip(views, asked, strict=True) for some in _read_together(view)
        ]
        groups.sort(key=lambda group: not group[0].lists)  # lists take longest: nobody waits for the last
        read = map_ordered(
            lambda group: {name: kept.keep(parts) for name, parts in join.features(*group)}, groups, AT_ONCE
        )
        columns = {name: column for some in read for name, column in some.items()}
    for view in views:
        for _, name in view.features:
            answer = answer.append_column(name, columns[name])
    return answer


def _read_together(view: JoinedView) -> list[JoinedView]:
    """The view with some of its features at a time; lists one by one."""
    lists = [one for one in view.features if one[1] in view.lists]
    others = [one for one in view.features if one[1] not in view.lists]
    starts = range(0, len(others), COLUMNS_OF_A_GROUP)
    return [
        *(replace(view, features=(one,)) for one in lists),
        *(
            replace(view, features=tuple(others[start : start + COLUMNS_OF_A_GROUP]), lists=frozenset())
            for start in starts
        ),
    ]


def _answer(query: str, datasets: Mapping[str, Any]) -> pa.Table:
    with _connection(datasets) as connection:
        return connection.sql(query).to_arrow_table()


def _joined(scan: Scan, view: FeatureView, feature_refs: list[str], full_feature_names: bool) -> JoinedView:
    source = scan.source
    in_source = {ours: theirs for theirs, ours in source.field_mapping.items()}
    name = view.projection.name_to_use()
    wanted = [one.split(":", 1)[1] for one in feature_refs if one.split(":", 1)[0] == name]
    prefix = f"{view.projection.name_alias or view.name}__" if full_feature_names else ""
    renamed = view.projection.join_key_map
    kinds = {one.name: one.dtype for one in view.features}
    return JoinedView(
        relation=scan.sql,
        keys=tuple(
            (renamed.get(column.name, column.name), in_source.get(column.name, column.name))
            for column in view.entity_columns
            if not column.name.startswith("__dummy")
        ),
        features=tuple((in_source.get(one, one), f"{prefix}{one}") for one in wanted),
        known_at=in_source.get(source.timestamp_field, source.timestamp_field),
        created_at=in_source.get(source.created_timestamp_column, source.created_timestamp_column) or None,
        ttl=view.ttl,
        lists=frozenset(f"{prefix}{one}" for one in wanted if isinstance(kinds.get(one), Array)),
    )


def _built_versions(config: RepoConfig) -> Mapping[str, int]:
    from pipelines.features.offline_store.sources import built_versions

    return built_versions(config)


def _scan(config: RepoConfig, source: DataSource | None, versions: Mapping[str, int]) -> Scan:
    from pipelines.features.offline_store.sources import scan_of

    return scan_of(config, source, versions)


def _window(column: str, start: datetime | None, end: datetime | None) -> str:
    """SQL for the rows of a window, both ends included."""
    from pipelines.features.offline_store.sources import between

    return between(column, start, end)
