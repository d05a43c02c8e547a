"""Writing one generation of features to Redis, an entity at a time with all its views.

An entity is one hash, replaced by one command, so that nobody sees half of one generation and half of another
for one entity. Values are encoded a column at a time; Arrow puts them together, between the names of their
fields, as Redis's protocol wants them, so that the bytes of some thousand commands are sent as they lie in
memory. Commands are sent ahead of their answers.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
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
from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import RedisError

from pipelines.errors import FeatureError
from pipelines.features.declared import source_of
from pipelines.features.encoded_columns import joined, lengths
from pipelines.features.online_columns import encoded_values, entity_keys

ENTITIES_AT_ONCE = 2_000
"""Entities that are put together and sent at a time: some megabytes."""

KEYS_AT_ONCE = 10_000
"""Keys that are looked through or removed at a time."""


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
    keyed = [entity_keys(view, rows, version) for view, rows, _ in views]
    keys = pc.unique(pa.chunked_array(keyed))
    columns = [
        _ViewColumns(store, view, rows, pc.index_in(keys, value_set=mine))
        for (view, rows, _), mine in zip(views, keyed, strict=True)
    ]
    there: set[bytes] = set()
    if all(whole for _, _, whole in views):
        there = set(_keys_there(client, views[0][0], project, version))
    with _Sending(client) as sending:
        for start in range(0, len(keys), ENTITIES_AT_ONCE):
            some = slice(start, start + ENTITIES_AT_ONCE)
            sending.send(*_commands(columns, keys, some, project, there))
    gone = sorted(there - {key + project for key in keys.to_pylist()}) if there else []
    for start in range(0, len(gone), KEYS_AT_ONCE):
        client.delete(*gone[start : start + KEYS_AT_ONCE])


class _ViewColumns:
    """The rows of one view, ready to be encoded."""

    def __init__(self, store: FeatureStore, view: FeatureView, rows: pa.Table, places: pa.Array) -> None:
        self._rows = rows.combine_chunks()  # or each `take` below would do it
        self._places = places
        self._view = view
        self._name = compute_versioned_name(view, store.config.registry.enable_online_feature_view_versioning)
        self.fields = [_mmh3(f"{self._name}:{one.name}") for one in view.features] + [self._stamp_field]

    @property
    def _stamp_field(self) -> bytes:
        return f"_ts:{self._name}".encode()

    def pieces(self, some: slice) -> pa.BinaryArray:
        """The fields and values of these entities, put together; null for one without a row."""
        places = self._places[some]
        rows = self._rows.take(places.drop_null())
        parts: list[Any] = []
        for feature, field in zip(self._view.features, self.fields, strict=False):
            value = encoded_values(rows[feature.name], feature.dtype).fill_null(b"")
            parts += _bulks(value, before=_bulk(field))
        stamps = _stamps(rows[source_of(self._view).timestamp_field].cast(pa.int64()))
        parts += _bulks(stamps, before=_bulk(self._stamp_field))
        found = joined(*parts)
        if not places.null_count:
            return found
        has = places.is_valid().to_numpy(zero_copy_only=False)
        return found.take(pa.array(np.cumsum(has) - 1, mask=~has))


def _commands(
    columns: Sequence[_ViewColumns], keys: pa.BinaryArray, some: slice, project: bytes, there: set[bytes]
) -> tuple[Any, int]:
    """Commands that write these entities, one after the other, and how many answers they bring."""
    keys = keys[some]
    parts = [one.pieces(some) for one in columns]
    counts = np.full(len(keys), 2)
    for one, part in zip(columns, parts, strict=True):
        counts += 2 * len(one.fields) * part.is_valid().to_numpy(zero_copy_only=False)
    begin = _for_each(counts, lambda count: b"*%d\r\n$4\r\nHSET\r\n" % count)
    names = joined(keys, pa.scalar(project, pa.binary()))
    written = joined(begin, *_bulks(names), *(part.fill_null(b"") for part in parts))
    lacking = np.zeros(len(keys), bool)
    for part in parts:
        lacking |= part.is_null().to_numpy(zero_copy_only=False)
    rows = [row for row in np.flatnonzero(lacking).tolist() if names[row].as_py() in there]
    if not rows:
        _, offsets, data = written.buffers()
        length = int(np.frombuffer(offsets, np.int32, len(written) + 1)[-1])
        return memoryview(data)[:length], len(written)
    each = written.to_pylist()
    for row in rows:
        # It had other views before: those without a row now are taken away in the same moment.
        fields = [
            field
            for one, part in zip(columns, parts, strict=True)
            if not part[row].is_valid
            for field in one.fields
        ]
        name = _bulk(names[row].as_py())
        left = b"*%d\r\n$4\r\nHDEL\r\n%b%b" % (len(fields) + 2, name, b"".join(map(_bulk, fields)))
        each[row] = b"*1\r\n$5\r\nMULTI\r\n" + each[row] + left + b"*1\r\n$4\r\nEXEC\r\n"
    return b"".join(each), len(each) + 3 * len(rows)


class _Sending:
    """Sends commands over one connection, the next ones before the last ones are answered."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool

    def __enter__(self) -> "_Sending":
        self._connection = self._pool.get_connection()
        self._owed = 0
        return self

    def send(self, commands: Any, answers: int) -> None:
        """Send the bytes of commands, and read the answers to those before them."""
        self._connection.send_packed_command([commands])
        self._read()
        self._owed = answers

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


def _bulks(values: pa.BinaryArray, before: bytes = b"") -> list[Any]:
    """Parts that make each value a text in Redis's protocol, behind what stands before it."""
    sizes = _for_each(lengths(values), lambda size: before + b"$%d\r\n" % size)
    return [sizes, values, pa.scalar(b"\r\n", pa.binary())]


def _for_each(numbers: npt.NDArray[Any], write: Callable[[int], bytes]) -> pa.BinaryArray:
    """What is written for each number; each different one is written once."""
    codes = pa.array(numbers).dictionary_encode()
    return pa.array([write(one) for one in codes.dictionary.to_pylist()], pa.binary()).take(codes.indices)


def _stamps(microseconds: pa.ChunkedArray) -> pa.BinaryArray:
    """Instants as Feast encodes them."""

    def encoded(one: int) -> bytes:
        stamp = Timestamp()
        stamp.FromMicroseconds(one)
        return bytes(stamp.SerializeToString())

    return _for_each(microseconds.to_numpy(), encoded)


def _bulk(text: bytes) -> bytes:
    """A text in Redis's protocol."""
    return b"$%d\r\n%b\r\n" % (len(text), text)
