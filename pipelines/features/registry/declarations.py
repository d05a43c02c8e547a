"""What `feature_repo` declares, as the builder and the store need it."""

from typing import Any

import pyarrow as pa
from feast import FeatureService, FeatureView, FileSource, Project
from feast.data_source import DataSource
from feast.entity import Entity
from feast.permissions.permission import Permission
from feast.repo_contents import RepoContents
from feast.types import Array, Bool, Float64, Int64, String

from feature_repo import repository
from pipelines.errors import FeatureError

TYPES = {Int64: pa.int64(), Float64: pa.float64(), String: pa.string(), Bool: pa.bool_()}
"""Feast types and how the lake holds them."""


def declarations() -> RepoContents:
    """Everything that `feature_repo` declares."""
    found = [getattr(repository, name) for name in repository.__all__]

    def all_of(kind: type[Any]) -> list[Any]:
        return sorted((one for one in found if isinstance(one, kind)), key=lambda one: str(one.name))

    return RepoContents(
        projects=all_of(Project),
        data_sources=all_of(DataSource),
        feature_views=all_of(FeatureView),
        on_demand_feature_views=[],
        stream_feature_views=[],
        label_views=[],
        entities=all_of(Entity),
        feature_services=all_of(FeatureService),
        permissions=all_of(Permission),
    )


def declared_views() -> dict[str, FeatureView]:
    """The declared feature views by name."""
    return {view.name: view for view in declarations().feature_views}


def source_of(view: FeatureView) -> FileSource:
    """The source behind a view."""
    if not isinstance(view.batch_source, FileSource):
        raise FeatureError(
            f"expected a FileSource behind feature view {view.name}, received {view.batch_source}"
        )
    return view.batch_source


def lake_table_of(view: FeatureView) -> str:
    """Name of the lake table behind a view."""
    return str(source_of(view).path)


def lake_schema_of(view: FeatureView) -> pa.Schema:
    """Columns of the lake table behind a view: keys, the instant from which a row was known, features."""
    fields = {column.name: _lake_type(column.dtype) for column in view.entity_columns}
    fields[source_of(view).timestamp_field] = pa.timestamp("us", tz="UTC")
    fields |= {column.name: _lake_type(column.dtype) for column in view.features}
    return pa.schema(list(fields.items()))


def _lake_type(dtype: object) -> pa.DataType:
    if isinstance(dtype, Array):
        return pa.list_(_lake_type(dtype.base_type))
    for known, kind in TYPES.items():
        if dtype == known:
            return kind
    raise FeatureError(
        f"expected a type among Int64, Float64, String, Bool and arrays of them, received {dtype}"
    )
