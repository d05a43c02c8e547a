"""Writing feature rows to the online store, in bulk.

Feast converts and writes value by value. Here SQLite gets whole columns, the views of one generation in one
transaction, sorted as its index is: a reader sees the rows of before or those of after, never a mixture. The
next rows are encoded while some are written. Other online stores get the same values through Feast's own
writer.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore, FeatureView
from feast.utils import _convert_arrow_to_proto

from pipelines.features.online_store.columns import entity_keys, python_values, sqlite_values
from pipelines.features.registry import source_of
from pipelines.runtime import map_ordered
from serving.features.online_store import (
    LOCK_SECONDS,
    SqliteRowOnlineStoreConfig,
    path_of,
    quoted,
    table_of,
    upsert,
)

ENTITIES_AT_ONCE = 4_000
"""Entities whose values are held in memory as Python objects at a time."""

KEY, INSTANT = "__entity_key", "__event_us"
"""Columns of an entity's row beside its features."""

REDIS_STORE = "serving.features.online_store.redis.RedisRowOnlineStore"
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
        from pipelines.features.online_store.redis_writer import redis_generation

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
        statement = upsert(table, [feature.name for feature in view.features])
        for columns in map_ordered(*_columns(view, rows, version), count=1):
            connection.executemany(statement, _records(view, columns))

    return write


def _columns(
    view: FeatureView, rows: pa.Table, version: int
) -> tuple[Callable[[pa.Array], dict[str, pa.Array]], list[pa.Array]]:
    """Keys, instants and features of some rows as SQLite keeps them, and of which rows, in its order."""
    keys = entity_keys(view, rows, version)
    order = pc.sort_indices(keys)
    rows = rows.combine_chunks()  # or each `take` below would do it

    def columns(part: pa.Array) -> dict[str, pa.Array]:
        some = rows.take(part)
        stamps = some[source_of(view).timestamp_field].cast(pa.int64()).combine_chunks()
        features = {one.name: sqlite_values(some[one.name], one.dtype) for one in view.features}
        return {KEY: keys.take(part), INSTANT: stamps, **features}

    starts = range(0, len(order), ENTITIES_AT_ONCE)
    return columns, [order.slice(start, ENTITIES_AT_ONCE) for start in starts]


def _records(view: FeatureView, columns: Mapping[str, pa.Array]) -> Iterator[tuple[Any, ...]]:
    """One record for each entity: its key, its instant, and its features in the order of the view."""
    names = [KEY, INSTANT, *(feature.name for feature in view.features)]
    return zip(*(python_values(columns[name]) for name in names), strict=True)
