"""Writing feature rows to the online store, in bulk.

Feast converts and writes value by value. Here each different value is converted once, by Feast's own functions,
and SQLite gets a whole view in one transaction, sorted as its indexes are: a reader sees the rows of before or
those of after, never a mixture. Other online stores get the same values through Feast's own batch writer.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import compute_table_id, extract_text_and_num
from feast.infra.online_stores.sqlite import adapt_datetime_epoch
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.type_map import python_values_to_proto_values
from feast.utils import _convert_arrow_to_proto, to_naive_utc
from feast.value_type import ValueType

ENTITIES_AT_ONCE = 20_000
"""Entities whose values are held in memory as Python objects at a time."""

LOCK_SECONDS = 60.0
"""How long to wait for another writer."""

Objects = npt.NDArray[np.object_]


def write_online(store: FeatureStore, view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
    """Write one row for each entity to the online store.

    Args:
        store: Feast, applied.
        view: The view that the rows belong to.
        rows: Keys, features and the instant from which they were known; each entity once.
        whole: The rows are all there are: entities that are not among them are removed, where the store can.
    """
    if store.config.online_store.type == "sqlite":
        _write_sqlite(store, view, rows, whole=whole)
        return
    kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
    provider = store._get_provider()
    for batch in rows.to_batches(max_chunksize=ENTITIES_AT_ONCE):
        values = _convert_arrow_to_proto(batch, view, kinds)
        provider.online_write_batch(store.config, view, values, None)


def prepare_sqlite(path: Path) -> None:
    """Let readers go on while a writer writes (write-ahead log); the file remembers it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _write_sqlite(store: FeatureStore, view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
    table = compute_table_id(store.project, view, store.config.registry.enable_online_feature_view_versioning)
    keys = _entity_keys(view, rows, store.config.entity_key_serialization_version)
    order = np.argsort(keys, kind="stable")
    path = Path(store.config.online_store.path)
    path = path if path.is_absolute() else Path(store.config.repo_path) / path
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            if whole:
                connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a name of ours
            for start in range(0, len(order), ENTITIES_AT_ONCE):
                part = order[start : start + ENTITIES_AT_ONCE]
                connection.executemany(
                    f'INSERT OR REPLACE INTO "{table}" '  # noqa: S608 - a name of ours
                    "(entity_key, feature_name, value, value_text, event_ts, created_ts) VALUES (?, ?, ?, ?, ?, ?)",
                    _records(view, rows.take(part), keys[part]),
                )
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _records(view: FeatureView, rows: pa.Table, keys: Objects) -> Iterator[tuple[Any, ...]]:
    """One record for each entity and feature, entity by entity."""
    names = [feature.name for feature in view.features]
    encoded = [_encoded(rows[feature.name], feature.dtype.to_value_type()) for feature in view.features]
    stamps = _by_different_values(rows[view.batch_source.timestamp_field], _stamps)
    each = len(names)
    return zip(
        np.repeat(keys, each).tolist(),
        cycle(names),
        np.stack([values for values, _ in encoded], axis=1).ravel().tolist(),
        np.stack([texts for _, texts in encoded], axis=1).ravel().tolist(),
        np.repeat(stamps, each).tolist(),
        repeat(None),
        strict=False,
    )


def _encoded(column: pa.ChunkedArray, kind: ValueType) -> tuple[Objects, Objects]:
    """Values as Feast stores them, and as text."""

    def encode(values: list[Any]) -> list[Any]:
        return list(python_values_to_proto_values(values, kind))

    protos = _by_different_values(column, encode)
    seen: dict[int, tuple[bytes, str | None]] = {}
    for proto in protos:
        if id(proto) not in seen:
            seen[id(proto)] = (proto.SerializeToString(), extract_text_and_num(proto, False)[0])
    both = [seen[id(proto)] for proto in protos]
    return _objects([value for value, _ in both]), _objects([text for _, text in both])


def _by_different_values(column: pa.ChunkedArray, convert: Any) -> Objects:
    """Convert each different value once; nulls stay None and are converted as well."""
    if pa.types.is_list(column.type):
        return _objects(convert(column.to_pylist()))
    codes = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    converted = _objects(convert(codes.dictionary.to_pylist()))
    return converted[codes.indices.to_numpy(zero_copy_only=False)]


def _stamps(instants: list[datetime]) -> list[int]:
    """Instants as Feast's SQLite store writes them."""
    return [adapt_datetime_epoch(to_naive_utc(one.astimezone(UTC))) for one in instants]


def _entity_keys(view: FeatureView, rows: pa.Table, version: int) -> Objects:
    names = [column.name for column in view.entity_columns]
    kinds = [column.dtype.to_value_type() for column in view.entity_columns]
    values = [
        python_values_to_proto_values(rows[name].to_pylist(), kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    return _objects(
        [
            serialize_entity_key(EntityKey(join_keys=names, entity_values=one), version)
            for one in zip(*values, strict=True)
        ]
    )


def _objects(values: list[Any]) -> Objects:
    """A one-dimensional array of Python objects, also where they are lists or bytes."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
