"""Writing one generation of features to Redis, an entity at a time with all its views.

An entity is one hash, replaced by one command, so that nobody sees half of one generation and half of another
for one entity. Values are encoded a column at a time; Arrow puts them together as Redis's protocol wants
them, so that the bytes of some thousand commands are sent as they lie in memory. What stands between the
contents of two values (lengths, the name of the next field, its tag) is written once for each different
length, and each content is copied once. Commands are sent ahead of their answers.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.infra.online_stores.helpers import _mmh3, compute_versioned_name
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.types import FeastType
from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import RedisError

from pipelines.errors import FeatureError
from pipelines.features.online_store.columns import encoded_values, entity_keys
from pipelines.features.online_store.protobuf_columns import (
    EncodedParts,
    can_encode,
    encoded_parts,
    for_each,
    joined,
    lengths,
)
from pipelines.features.registry import source_of
from pipelines.runtime import map_ordered

ROWS_AT_ONCE = 8_000
"""Rows of all views that are put together and sent at a time: some megabytes."""

KEYS_AT_ONCE = 10_000
"""Keys that are looked through or removed at a time."""


@contextmanager
def redis_generation(store: FeatureStore) -> Iterator[Any]:
    """Write the views of one generation; each kind of entity while views of the next one are read.

    Yields a function `write(view, rows, *, whole)`, see `online_writer.WriteView`.

    Views of one kind have to come one after the other. Those of the last kind are written when the block
    ends, and not at all if it breaks off.

    Raises:
        FeatureError: Redis cannot be reached or broke off; what is there is whole for every entity, and
            writing the generation again completes it.
    """
    online_store: Any = store._get_provider().online_store
    client = online_store._get_client(store.config.online_store)
    with ThreadPoolExecutor(1, thread_name_prefix="redis-writer") as thread:
        generation = _Generation(store, client, thread)
        with _reached(store):
            client.ping()  # before anything is read for it
        try:
            yield generation.write
            with _reached(store):
                generation.end()
        finally:
            thread.shutdown(cancel_futures=True)


@contextmanager
def _reached(store: FeatureStore) -> Iterator[None]:
    """Say which Redis it was, and what to do, where it cannot be reached or breaks off."""
    try:
        yield
    except (RedisError, OSError) as error:
        where = str(store.config.online_store.connection_string).partition(",")[0]
        raise FeatureError(
            f"expected Redis at {where} to take all values, received {type(error).__name__}: {error}. Start "
            "it and run `aisle features materialize` again"
        ) from error


class _Generation:
    """Collects views of one kind of entity, and has them written when all are there."""

    def __init__(self, store: FeatureStore, client: Any, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._client = client
        self._thread = thread
        self._views: list[_ViewRows] = []
        self._kinds: set[tuple[str, ...]] = set()
        self._under_way: list[Future[None]] = []

    def write(self, view: FeatureView, rows: pa.Table, *, whole: bool) -> None:
        """Take the rows of one view; see `online_writer.WriteView`."""
        one = _ViewRows(self._store, view, rows, whole)
        if self._views and one.entity != self._views[0].entity:
            self._write_kind()
        if not self._views and one.entity in self._kinds:
            raise ValueError(
                f"expected all views of {one.entity} one after the other, received {view.name} late"
            )
        self._kinds.add(one.entity)
        self._views.append(one)

    def end(self) -> None:
        """Write what is left, and wait for all of it."""
        self._write_kind()
        for one in self._under_way:
            one.result()

    def _write_kind(self) -> None:
        if self._views:
            views, self._views = self._views, []
            self._under_way.append(self._thread.submit(_write_entities, self._store, self._client, views))


def _write_entities(store: FeatureStore, client: Any, views: Sequence["_ViewRows"]) -> None:
    """Write all views of one kind of entity; the next commands are put together while some are sent."""
    version = store.config.entity_key_serialization_version
    project = store.project.encode()
    keys = pc.unique(pa.chunked_array([one.keys for one in views]))
    there: set[bytes] = set()
    if all(one.whole for one in views):
        there = set(_keys_there(client, views[0].entity, project, version))
    with _Sending(client) as sending:
        for commands, answers in map_ordered(*_putting_together(views, keys, project, there), count=1):
            sending.send(commands, answers)
    gone = sorted(there - {key + project for key in keys.to_pylist()}) if there else []
    for start in range(0, len(gone), KEYS_AT_ONCE):
        client.delete(*gone[start : start + KEYS_AT_ONCE])


def _putting_together(
    views: Sequence["_ViewRows"], keys: pa.BinaryArray, project: bytes, there: set[bytes]
) -> tuple[Callable[[slice], tuple[Any, int]], list[slice]]:
    """How commands are put together that write all views of some entities, see `_commands`, and of which."""
    places = [pc.index_in(keys, value_set=one.keys) for one in views]
    rows = sum(len(one.keys) for one in views)
    step = max(1, ROWS_AT_ONCE * len(keys) // max(1, rows))  # each entity has some of the views

    def commands(some: slice) -> tuple[Any, int]:
        parts = [one.pieces(mine[some]) for one, mine in zip(views, places, strict=True)]
        names = joined(keys[some], pa.scalar(project, pa.binary()))
        return _commands([one.fields for one in views], parts, names, there)

    return commands, [slice(start, start + step) for start in range(0, len(keys), step)]


class _ViewRows:
    """The rows of one view, ready to be encoded."""

    def __init__(self, store: FeatureStore, view: FeatureView, rows: pa.Table, whole: bool) -> None:
        self.entity = tuple(column.name for column in view.entity_columns)
        self.whole = whole
        self.keys = entity_keys(view, rows, store.config.entity_key_serialization_version)
        name = compute_versioned_name(view, store.config.registry.enable_online_feature_view_versioning)
        self.fields = [_mmh3(f"{name}:{one.name}") for one in view.features] + [f"_ts:{name}".encode()]
        self._view = view
        self._rows = rows.combine_chunks()  # or each `take` below would do it

    def pieces(self, places: pa.Array) -> pa.BinaryArray:
        """The fields and values of the rows at these places, put together; null where a place is."""
        known = places.is_valid().to_numpy(zero_copy_only=False)
        numbers = places.drop_null().to_numpy()
        if len(numbers) and (np.diff(numbers) == 1).all():
            rows = self._rows.slice(numbers[0], len(numbers))
        else:
            rows = self._rows.take(pa.array(numbers))
        found = _fields_and_values(self._view, self.fields, rows)
        if known.all():
            return found
        return found.take(pa.array(np.cumsum(known) - 1, mask=~known))


def _fields_and_values(view: FeatureView, fields: Sequence[bytes], rows: pa.Table) -> pa.BinaryArray:
    """The fields of each row with their values, put together."""
    parts: list[pa.BinaryArray] = []
    before = b""
    for feature, field in zip(view.features, fields, strict=False):
        values = _parts(rows[feature.name], feature.dtype)
        write = partial(_value_begun, before + _bulk(field), values.head)
        parts += [for_each(values.sizes, write), values.contents]
        before = b"\r\n"
    stamps = rows[source_of(view).timestamp_field].cast(pa.int64()).to_numpy()
    name = before + _bulk(fields[-1])
    return joined(*parts, for_each(stamps, lambda one: name + _bulk(_stamp(one))))


def _parts(column: pa.ChunkedArray, kind: FeastType) -> EncodedParts:
    """Values in parts, also those that Feast has to encode."""
    if can_encode(kind):
        return encoded_parts(column, kind)
    values = encoded_values(column, kind)
    return EncodedParts(
        pc.fill_null(pc.binary_length(values), -1).to_numpy(), values.fill_null(b""), lambda _: b""
    )


def _value_begun(before: bytes, head: Callable[[int], bytes], size: int) -> bytes:
    """What stands before the content of a value, from the name of its field on."""
    start = b"" if size < 0 else head(size)
    return before + b"$%d\r\n" % (len(start) + max(size, 0)) + start


def _commands(
    fields: Sequence[Sequence[bytes]],
    parts: Sequence[pa.BinaryArray],
    names: pa.BinaryArray,
    there: set[bytes],
) -> tuple[Any, int]:
    """Commands that write some entities, one after the other, and how many answers they bring.

    Args:
        fields: Those of each view.
        parts: Fields and values of each view's rows, one for each entity; null where it has no row.
        names: Keys of the entities in Redis.
        there: Keys that may have views which are to be taken away.
    """
    has = [part.is_valid().to_numpy(zero_copy_only=False) for part in parts]
    counts = np.full(len(names), 2)
    for mine, known in zip(fields, has, strict=True):
        counts += 2 * len(mine) * known
    begin = for_each(counts, lambda count: b"*%d\r\n$4\r\nHSET\r\n" % count)
    sizes = for_each(lengths(names), lambda size: b"$%d\r\n" % size)
    line = pa.scalar(b"\r\n", pa.binary())
    written = joined(begin, sizes, names, line, *(part.fill_null(b"") for part in parts))
    lacking = np.flatnonzero(~np.logical_and.reduce(has)).tolist() if there else []
    rows = [row for row in lacking if names[row].as_py() in there]
    if not rows:
        _, offsets, data = written.buffers()
        length = int(np.frombuffer(offsets, np.int32, len(written) + 1)[-1])
        return memoryview(data)[:length], len(written)
    each = written.to_pylist()
    for row in rows:
        # It had other views before: those without a row now are taken away in the same moment.
        gone = [one for mine, known in zip(fields, has, strict=True) if not known[row] for one in mine]
        name = _bulk(names[row].as_py())
        left = b"*%d\r\n$4\r\nHDEL\r\n%b%b" % (len(gone) + 2, name, b"".join(map(_bulk, gone)))
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


def _keys_there(client: Any, entity: Sequence[str], project: bytes, version: int) -> Iterator[bytes]:
    """Keys of this kind of entity in Redis; only where an entity has one key that is a string."""
    start = serialize_entity_key_prefix([*entity], version) + struct.pack("<I", KeyType.STRING)
    for key in client.scan_iter(match=_literal(start) + b"*", count=KEYS_AT_ONCE):
        if len(key) < len(start) + 4:
            continue
        (length,) = struct.unpack_from("<I", key, len(start))
        if key[len(start) + 4 + length :] == project:
            yield key


def _literal(text: bytes) -> bytes:
    """A pattern that matches this text alone."""
    return b"".join(b"\\" + one if one in b"*?[]^\\" else one for one in (bytes([code]) for code in text))


def _stamp(microseconds: int) -> bytes:
    """An instant as Feast encodes it."""
    stamp = Timestamp()
    stamp.FromMicroseconds(microseconds)
    return bytes(stamp.SerializeToString())


def _bulk(text: bytes) -> bytes:
    """A text in Redis's protocol."""
    return b"$%d\r\n%b\r\n" % (len(text), text)
