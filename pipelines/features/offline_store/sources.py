"""Sources of feature views as SQL that DuckDB scans: lake tables by their files, or Parquet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.dataset as pads
from feast.data_format import DeltaFormat
from feast.data_source import DataSource
from feast.infra.offline_stores.file_source import FileSource
from feast.repo_config import RepoConfig

from pipelines.errors import FeatureError
from pipelines.features.offline_store.asof_sql import text
from pipelines.features.registry import BUILD_TABLE, last_build, tables_of
from pipelines.lake import Lake, open_lake
from pipelines.settings import load_settings
from serving.features.online_store import quoted


def built_versions(config: RepoConfig) -> Mapping[str, int]:
    """The versions of the feature tables that were built together last, by table; none without a build.

    A build replaces one table after the other. Whoever reads the newest version of each may read some of this
    build and some of the one before.
    """
    lake = _lake(config.offline_store.lake_root)
    if not lake.exists(BUILD_TABLE):
        return {}
    return tables_of(last_build(lake))


@dataclass(frozen=True, slots=True)
class Scan:
    """A source as DuckDB reads it."""

    source: FileSource
    """Where the rows come from."""

    sql: str
    """What stands behind FROM."""

    datasets: Mapping[str, pads.Dataset] = field(default_factory=dict)
    """Names in it under which Arrow reads remote files: DuckDB would need an extension for them."""


def scan_of(config: RepoConfig, source: DataSource | None, versions: Mapping[str, int]) -> Scan:
    """How a source is scanned.

    Args:
        config: Feast's configuration; `offline_store.lake_root` is where lake tables are.
        source: A Delta table of the lake, named or as a path, or Parquet.
        versions: Which version of a lake table to read; the newest where it is not named.
    """
    if not isinstance(source, FileSource):
        raise FeatureError(f"expected a FileSource, received {type(source).__name__}: {source}")
    if not isinstance(source.file_format, DeltaFormat):
        path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
        return Scan(source, f"read_parquet({text(path)})")
    root, table = config.offline_store.lake_root, source.path
    if "/" in table:
        root, table = table.rstrip("/").rsplit("/", 1)
        versions = {}
    lake = _lake(root)
    if not lake.exists(table):
        raise FeatureError(
            f"expected table {table} in the lake {root}, received none: run `aisle features build` first"
        )
    version = versions.get(table)
    uris = lake.uris(table, version)
    if not uris:
        return Scan(source, _without_rows(lake.dataset(table, version).schema))
    if is_remote(root):
        name = f"lake_{table}"
        return Scan(source, quoted(name), {name: lake.dataset(table, version)})
    return Scan(source, f"read_parquet([{', '.join(map(text, uris))}], union_by_name = true)")


def is_remote(root: str) -> bool:
    """Whether a lake is in an object store."""
    return "://" in root


def between(column: str, start: datetime | None, end: datetime | None) -> str:
    """SQL for a window, both ends included."""
    bounds = [(">=", start), ("<=", end)]
    checks = [f"{quoted(column)} {sign} {text(at.isoformat())}::TIMESTAMPTZ" for sign, at in bounds if at]
    return " AND ".join(checks) or "true"


def _lake(root: str) -> Lake:
    return open_lake(load_settings().model_copy(update={"lake_uri": root}))


def _without_rows(schema: pa.Schema) -> str:
    """SQL of a table without rows, such as the profiles of a shop without users: no list may be empty."""
    columns = ", ".join(f"CAST(NULL AS {_sql_type(field.type)}) AS {quoted(field.name)}" for field in schema)
    return f"(SELECT {columns} WHERE false)"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN"}.get(kind, "VARCHAR")
