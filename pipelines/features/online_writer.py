"""Writing feature rows to the online store, in bulk.

Feast converts and writes value by value. Here SQLite gets whole columns, the views of one generation in one
transaction, sorted as its index is: a reader sees the rows of before or those of after, never a mixture.
Other online stores get the same values through Feast's own writer.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from feast import FeatureStore, FeatureView
from feast.utils import _convert_arrow_to_proto

from pipelines.features.declared import source_of
from pipelines.features.online_columns import entity_keys, sqlite_column
from serving.online_rows import quoted, upsert
from serving.online_store import LOCK_SECONDS, SqliteRowOnlineStoreConfig, path_of, table_of

ENTITIES_AT_ONCE = 20_000
"""Entities whose values are held in memory as Python objects at a time."""


REDIS_STORE = "serving.redis_store.RedisRowOnlineStore"
"""Class path of the online store in Redis."""


class WriteView(Protocol):
    """Writes the rows of one view."""

    def __call__(self, view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
        """Write one row for each entity.

        Args:
            view: The view that the rows belong to.
            rows: Keys, features and the instant from which they were known; each entity once.
            whole: The rows are all there are: others are removed, where the store can.
        """


@contextmanager
def one_generation(store: FeatureStore) -> Iterator[WriteView]:
    """Write several views that are seen together: all of them when the block ends, or none if it breaks off.

    Redis shows each entity with all its views when it is written; other stores of Feast's each view.
    """
    if store.config.online_store.type == REDIS_STORE:
        from pipelines.features.redis_writer import redis_generation

        with redis_generation(store) as write:
            yield write
        return
    if not isinstance(store.config.online_store, SqliteRowOnlineStoreConfig):
        yield _by_feast(store)
        return
    with closing(
        sqlite3.connect(path_of(store.config), timeout=LOCK_SECONDS, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield _by_columns(store, connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _by_feast(store: FeatureStore) -> WriteView:
    provider = store._get_provider()

    def write(view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
        del whole  # no store of Feast's can remove what is not named
        kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
        for batch in rows.to_batches(max_chunksize=ENTITIES_AT_ONCE):
            values = _convert_arrow_to_proto(batch, view, kinds)
            provider.online_write_batch(store.config, view, values, None)

    return write


def _by_columns(store: FeatureStore, connection: sqlite3.Connection) -> WriteView:
    version = store.config.entity_key_serialization_version

    def write(view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
        table = table_of(store.config, view)
        if whole:
            connection.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608 - quoted
        keys = entity_keys(view, rows, version)
        order = np.argsort(keys, kind="stable")
        statement = upsert(table, [feature.name for feature in view.features])
        for start in range(0, len(order), ENTITIES_AT_ONCE):
            part = order[start : start + ENTITIES_AT_ONCE]
            connection.executemany(statement, _records(view, rows.take(part), keys[part]))

    return write


def _records(view: FeatureView, rows: pa.Table, keys: npt.NDArray[np.object_]) -> Iterator[tuple[Any, ...]]:
    """One record for each entity: its key, its instant, and its features in the order of the view."""
    stamps = rows[source_of(view).timestamp_field].cast(pa.int64()).to_pylist()
    columns = [sqlite_column(rows[feature.name], feature.dtype) for feature in view.features]
    return zip(keys.tolist(), stamps, *columns, strict=True)
