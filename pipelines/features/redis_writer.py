"""Writing one generation of features to Redis, an entity at a time with all its views.

An entity is one hash, replaced by one command, so that nobody sees half of one generation and half of another
for one entity. Each different value is encoded once, together with the name of its field, as Redis's protocol
wants it; a command is then no more than these pieces put together. Commands are sent ahead of their answers.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.infra.online_stores.helpers import _mmh3, compute_versioned_name
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.type_map import python_values_to_proto_values
from feast.types import FeastType, Float64
from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import RedisError

from pipelines.errors import FeatureError
from pipelines.features.declared import source_of
from pipelines.features.online_columns import entity_keys

ENTITIES_AT_ONCE = 2_000
"""Entities that are put together and sent at a time: some megabytes."""

KEYS_AT_ONCE = 10_000
"""Keys that are looked through or removed at a time."""

Pieces = npt.NDArray[np.object_]
"""Bytes of Redis's protocol, one for each row."""


@contextmanager
def redis_generation(store: FeatureStore) -> Iterator[Any]:
    """Collect the views of one generation, and write them when the block ends; nothing if it breaks off.

    Yields a function `write(view, rows, *, whole)`, see `online_writer.WriteView`.

    Raises:
        FeatureError: Redis cannot be reached or broke off; what is there is whole for every entity, and
            writing the generation again completes it.
    """
    views: list[tuple[FeatureView, pa.Table, bool]] = []

    def write(view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
        views.append((view, rows, whole))

    yield write
    online_store: Any = store._get_provider().online_store
    client = online_store._get_client(store.config.online_store)
    entities = sorted({tuple(column.name for column in view.entity_columns) for view, _, _ in views})
    try:
        for names in entities:
            mine = [one for one in views if [column.name for column in one[0].entity_columns] == [*names]]
            _write_entities(store, client, mine)
    except (RedisError, OSError) as error:
        where = str(store.config.online_store.connection_string).partition(",")[0]
        raise FeatureError(
            f"expected Redis at {where} to take all values, received {type(error).__name__}: {error}. Start "
            "it and run `aisle features materialize` again"
        ) from error


def _write_entities(
    store: FeatureStore, client: Any, views: Sequence[tuple[FeatureView, pa.Table, bool]]
) -> None:
    """Write all views of one kind of entity."""
    version = store.config.entity_key_serialization_version
    project = store.project.encode()
    columns = [_ViewColumns(store, view, rows, version) for view, rows, _ in views]
    keys = np.unique(np.concatenate([one.keys for one in columns]))
    there: set[bytes] = set()
    if all(whole for _, _, whole in views):
        there = set(_keys_there(client, views[0][0], project, version))
    with _Sending(client) as sending:
        for start in range(0, len(keys), ENTITIES_AT_ONCE):
            sending.send(*_commands(columns, keys[start : start + ENTITIES_AT_ONCE], project, there))
    gone = sorted(there - {key + project for key in keys.tolist()})
    for start in range(0, len(gone), KEYS_AT_ONCE):
        client.delete(*gone[start : start + KEYS_AT_ONCE])


class _ViewColumns:
    """The rows of one view by their keys, ready to be encoded."""

    def __init__(self, store: FeatureStore, view: FeatureView, rows: pa.Table, version: int) -> None:
        keys = entity_keys(view, rows, version)
        order = np.argsort(keys, kind="stable")
        self.keys: Pieces = keys[order]
        self._rows = rows.take(order)
        self._view = view
        self._name = compute_versioned_name(view, store.config.registry.enable_online_feature_view_versioning)
        self.fields = [_mmh3(f"{self._name}:{one.name}") for one in view.features] + [self._stamp_field]

    @property
    def _stamp_field(self) -> bytes:
        return f"_ts:{self._name}".encode()

    def pieces(self, keys: Pieces) -> Pieces:
        """The fields and values of these keys, put together; empty for a key without a row."""
        found: Pieces = np.full(len(keys), b"", dtype=object)
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = 0
        has = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), bool)
        rows = self._rows.take(pa.array(places[has]))
        stamps = rows[source_of(self._view).timestamp_field].cast(pa.int64())
        columns = [
            _values(rows[one.name], one.dtype, field)
            for one, field in zip(self._view.features, self.fields, strict=False)
        ]
        columns.append(_stamps(stamps, self._stamp_field))
        found[has] = _objects([b"".join(row) for row in zip(*columns, strict=True)])
        return found


def _commands(
    columns: Sequence[_ViewColumns], keys: Pieces, project: bytes, there: set[bytes]
) -> tuple[list[bytes], list[int]]:
    """Commands that write these entities, and how many answers each brings."""
    parts = [one.pieces(keys) for one in columns]
    counts = np.zeros(len(keys), np.int64)
    for one, part in zip(columns, parts, strict=True):
        counts += np.where(part != b"", 2 * len(one.fields), 0)
    names = [_bulk(key + project) for key in keys.tolist()]
    written = [
        b"*%d\r\n$4\r\nHSET\r\n%b%b" % (count + 2, name, b"".join(row))
        for count, name, row in zip(counts.tolist(), names, zip(*parts, strict=True), strict=True)
    ]
    answers = [1] * len(written)
    for row in np.flatnonzero(np.logical_or.reduce([part == b"" for part in parts])).tolist():
        if keys[row] + project not in there:
            continue
        # It had other views before: those without a row now are taken away in the same moment.
        fields = [
            field
            for one, part in zip(columns, parts, strict=True)
            if part[row] == b""
            for field in one.fields
        ]
        left = b"*%d\r\n$4\r\nHDEL\r\n%b%b" % (len(fields) + 2, names[row], b"".join(map(_bulk, fields)))
        written[row] = b"*1\r\n$5\r\nMULTI\r\n" + written[row] + left + b"*1\r\n$4\r\nEXEC\r\n"
        answers[row] = 4
    return written, answers


class _Sending:
    """Sends commands over one connection, the next ones before the last ones are answered."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool

    def __enter__(self) -> "_Sending":
        self._connection = self._pool.get_connection()
        self._owed = 0
        return self

    def send(self, commands: list[bytes], answers: list[int]) -> None:
        """Send commands, and read the answers to those before them."""
        self._connection.send_packed_command([b"".join(commands)])
        self._read()
        self._owed = sum(answers)

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._read()
            else:
                self._connection.disconnect()
        finally:
            self._pool.release(self._connection)

    def _read(self) -> None:
        owed, self._owed = self._owed, 0
        for _ in range(owed):
            self._connection.read_response()


def _keys_there(client: Any, view: FeatureView, project: bytes, version: int) -> Iterator[bytes]:
    """Keys of this kind of entity in Redis; only where an entity has one key that is a string."""
    names = [column.name for column in view.entity_columns]
    start = serialize_entity_key_prefix(names, version) + struct.pack("<I", KeyType.STRING)
    for key in client.scan_iter(match=_literal(start) + b"*", count=KEYS_AT_ONCE):
        if len(key) < len(start) + 4:
            continue
        (length,) = struct.unpack_from("<I", key, len(start))
        if key[len(start) + 4 + length :] == project:
            yield key


def _literal(text: bytes) -> bytes:
    """A pattern that matches this text alone."""
    return b"".join(b"\\" + one if one in b"*?[]^\\" else one for one in (bytes([code]) for code in text))


def _values(column: pa.ChunkedArray, kind: FeastType, field: bytes) -> Pieces:
    """Field and value for each row, as Feast encodes values."""
    head = _bulk(field)
    value_type = kind.to_value_type()

    def encode(values: list[Any]) -> Pieces:
        protos = python_values_to_proto_values(values, value_type)
        return _objects([head + _bulk(one.SerializeToString()) for one in protos])

    whole = column.combine_chunks()
    if pa.types.is_list(whole.type):
        return encode(whole.to_pylist())
    bits = whole.view(pa.int64()) if kind == Float64 else whole  # 0.0 and -0.0 are two values
    codes = pc.dictionary_encode(bits, null_encoding="encode")
    different = codes.dictionary.view(pa.float64()) if kind == Float64 else codes.dictionary
    picked: Pieces = encode(different.to_pylist())[codes.indices.to_numpy(zero_copy_only=False)]
    return picked


def _stamps(microseconds: pa.ChunkedArray, field: bytes) -> Pieces:
    """Field and instant for each row, as Feast encodes instants."""
    codes = pc.dictionary_encode(microseconds.combine_chunks())
    head = _bulk(field)
    stamps = []
    for one in codes.dictionary.to_pylist():
        stamp = Timestamp()
        stamp.FromMicroseconds(one)
        stamps.append(head + _bulk(stamp.SerializeToString()))
    picked: Pieces = _objects(stamps)[codes.indices.to_numpy(zero_copy_only=False)]
    return picked


def _bulk(text: bytes) -> bytes:
    """A text in Redis's protocol."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def _objects(values: list[Any]) -> Pieces:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
