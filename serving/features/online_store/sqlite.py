"""Feast's online store in SQLite, one row for each entity: what serving, SDK, feature server and CLI read.

Feast's own SQLite store keeps a row for each feature and writes value by value, serves what has outlived its
time to live (its issue 6821), and reads instants in the zone of the machine. Here an entity is one row with a
column for each feature, instants are microseconds UTC, what has expired is null with its age, and all views
of one request are read in one transaction, so that nobody sees half of one generation and half of another.
Named by class path in `feature_store.yaml`.
"""

import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureService, FeatureView, metrics, utils
from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.types import Bool, Float64, Int64, String

from serving.features.online_store.response import (
    OnlineAnswer,
    Reader,
    StoredRow,
    ViewAnswer,
    reader_of,
    say_what_expired,
)
from serving.features.online_store.rows import (
    instant_of,
    make_table,
    microseconds,
    quoted,
    stored_value,
    upsert,
)

LOCK_SECONDS = 60.0
"""How long to wait for another writer."""

PAGE_BYTES = 16_384
"""Size of the file's pages. A row with lists has some thousand bytes: beyond a quarter of a page SQLite puts
it on pages of its own, and with its default of 4 kB wrote more than twice as much."""

Row = tuple[datetime | None, dict[str, Value] | None]
"""Instant from which an entity's values were known, and the values; None, None where there is no row, and
no values where they have expired."""

MAKERS: dict[Any, Callable[[Any], Value]] = {
    Int64: lambda value: Value(int64_val=value),
    Float64: lambda value: Value(double_val=value),
    String: lambda value: Value(string_val=value),
    Bool: lambda value: Value(bool_val=bool(value)),
}
"""How the values of SQLite become Feast's; all other types, and what SQLite cannot hold, are kept encoded."""


class SqliteRowOnlineStoreConfig(FeastConfigBaseModel):
    """Section `online_store` of `feature_store.yaml`."""

    type: Literal["serving.features.online_store.sqlite.SqliteRowOnlineStore"] = (
        "serving.features.online_store.sqlite.SqliteRowOnlineStore"
    )
    """Class path of the store."""

    path: str
    """The SQLite file; relative to the folder of `feature_store.yaml` unless absolute."""


class SqliteRowOnlineStore(OnlineStore):
    """One table for each feature view, one row for each entity."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        # One connection, used by the threads of a server one after the other: a read takes microseconds.
        self._one_at_a_time = threading.RLock()
        self._plans: dict[Any, _Plan] = {}
        self._met_expired = False

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Row]:
        """Return a row for each key, as it stands now."""
        return self.rows_at(config, table, entity_keys, requested_features, datetime.now(UTC))

    def rows_at(
        self,
        config: RepoConfig,
        view: FeatureView,
        keys: Sequence[EntityKey],
        names: Sequence[str] | None,
        now: datetime,
    ) -> list[Row]:
        """Return a row for each key; one older at `now` than its view's time to live has no values."""
        plan = self._plan(config, view, names)
        version = config.entity_key_serialization_version
        encoded = [serialize_entity_key(key, version) for key in keys]
        found = self._stored_rows(config, view, plan, encoded, now)
        return [(at, None if row is None else plan.as_values(row)) for at, row in found]

    def _stored_rows(
        self, config: RepoConfig, view: FeatureView, plan: "_Plan", keys: Sequence[bytes], now: datetime
    ) -> list[StoredRow]:
        """A row for each encoded key, see `rows_at`, with its values as SQLite keeps them."""
        different = list(dict.fromkeys(keys))
        query = f"{plan.select} ({','.join('?' * len(different))})"
        with self._one_at_a_time:
            rows = self._open(config).execute(query, different).fetchall()
        lives_from = microseconds(now - view.ttl) if view.ttl else None
        found: dict[bytes, StoredRow] = {}
        for row in rows:
            expired = lives_from is not None and row[1] < lives_from
            self._met_expired |= expired
            found[row[0]] = (instant_of(row[1]), None if expired else row[2:])
        nobody = (None, None)
        return [found.get(key, nobody) for key in keys]

    def views_at(
        self,
        config: RepoConfig,
        views: Sequence[tuple[FeatureView, Sequence[str]]],
        key: EntityKey,
        now: datetime,
    ) -> list[Row]:
        """Return the row of one entity in each view, all of one generation; see `rows_at`."""
        with self.snapshot(config):
            return [self.rows_at(config, view, [key], names, now)[0] for view, names in views]

    @contextmanager
    def snapshot(self, config: RepoConfig) -> Iterator[None]:
        """Read everything in the block as it stood at one instant."""
        with self._one_at_a_time:
            connection = self._open(config)
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN")
            try:
                yield
            finally:
                connection.execute("COMMIT")

    def get_online_features(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        include_feature_view_version_metadata: bool = False,
    ) -> OnlineResponse:
        """Answer as Feast does, from one generation; what has expired says so.

        What most ask for, rows by one text key of views that are stored, is answered without a message for
        each value; anything else by Feast's own way.
        """
        asked = (config, features, entity_rows, registry, project)
        with self.snapshot(config):
            if not include_feature_view_version_metadata:
                answer = self._answer(*asked, full_feature_names)
                if answer is not None:
                    return answer
            self._met_expired = False
            response = super().get_online_features(
                *asked,
                full_feature_names=full_feature_names,
                include_feature_view_version_metadata=include_feature_view_version_metadata,
            )
            if self._met_expired:
                say_what_expired(response.proto)
        return response

    def _answer(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool,
    ) -> OnlineAnswer | None:
        """The answer to a simple request; None to one that Feast has to answer, or to refuse."""
        columns = _columns(entity_rows)
        if not columns or metrics._config.online_features:
            return None
        keys, views, join_keys, computed, _, asked, response = (
            utils._prepare_entities_to_read_from_online_store(
                registry, project, features, columns, full_feature_names
            )
        )
        if computed or not asked.issuperset(response.metadata.feature_names.val):
            return None
        now, version = datetime.now(UTC), config.entity_key_serialization_version
        encoded: dict[str, list[bytes]] = {}
        answers = []
        for view, wanted in views:
            if len(view.entities) != 1 or view.projection.join_key_map or version < 3:
                return None
            name = join_keys[view.entities[0]]
            if name not in keys:
                return None
            if name not in encoded:
                if any(one.WhichOneof("val") != "string_val" for one in keys[name]):
                    return None
                encoded[name] = text_keys(name, [one.string_val for one in keys[name]], version)
            plan = self._plan(config, view, wanted)
            if plan.names != wanted:
                return None
            rows = self._stored_rows(config, view, plan, encoded[name], now)
            answers.append(ViewAnswer(view, wanted, rows, plan.readers, plan.as_values))
        return OnlineAnswer(response, answers, full_feature_names=full_feature_names)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows that Feast itself brings, such as pushed ones."""
        names = sorted({name for _, values, _, _ in data for name in values})
        version = config.entity_key_serialization_version
        records = [
            (
                serialize_entity_key(key, version),
                microseconds(at if at.tzinfo else at.replace(tzinfo=UTC)),
                *(stored_value(values.get(name, Value())) for name in names),
            )
            for key, values, at, _ in data
        ]
        with self._one_at_a_time:
            connection = self._open(config)
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(upsert(table_of(config, table), names), records)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        if progress is not None:
            progress(len(data))

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make, alter and drop tables as the declarations ask."""
        with self._one_at_a_time:
            connection = self._open(config)
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
            # Readers go on while a writer writes; the file remembers it.
            connection.execute("PRAGMA journal_mode = WAL")
            for view in tables_to_keep:
                make_table(connection, table_of(config, view), {one.name: one.dtype for one in view.features})
            for view in tables_to_delete:
                connection.execute(f"DROP TABLE IF EXISTS {quoted(table_of(config, view))}")

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Remove the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        path_of(config).unlink(missing_ok=True)

    def _open(self, config: RepoConfig) -> sqlite3.Connection:
        if self._connection is None:
            path = path_of(config)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
        return self._connection

    def _plan(self, config: RepoConfig, view: FeatureView, names: Sequence[str] | None) -> "_Plan":
        """How to read these features of a view."""
        about = (view.name, view.last_updated_timestamp, None if names is None else tuple(names))
        if about not in self._plans:
            kinds = {one.name: one.dtype for one in view.features}
            wanted = [name for name in (kinds if names is None else names) if name in kinds]
            columns = "".join(f", {quoted(name)}" for name in wanted)
            select = (
                f"SELECT __entity_key, __event_us{columns} "  # noqa: S608 - quoted names
                f"FROM {quoted(table_of(config, view))} WHERE __entity_key IN"
            )
            makers = [MAKERS.get(kinds[name]) for name in wanted]
            self._plans[about] = _Plan(select, wanted, makers, [reader_of(kinds[name]) for name in wanted])
        return self._plans[about]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How features of a view are read."""

    select: str
    """Beginning of the query, without the keys."""

    names: list[str]
    """Features, in the order of the query."""

    makers: list[Callable[[Any], Value] | None]
    """How the value of each is made; None: it is kept encoded."""

    readers: list[Reader]
    """How the values of each become Python's."""

    def as_values(self, row: Sequence[Any]) -> dict[str, Value]:
        """Feast's values of a row."""
        values = zip(self.names, self.makers, row, strict=True)
        return {name: _proto(make, value) for name, make, value in values}


def _columns(entity_rows: Any) -> dict[str, list[Any]]:
    """The rows of a request by their names; empty where they do not have the same ones, or are messages."""
    if isinstance(entity_rows, Mapping):
        return dict(entity_rows) if all(isinstance(one, list) for one in entity_rows.values()) else {}
    names = entity_rows[0].keys() if entity_rows else ()
    if any(row.keys() != names for row in entity_rows):
        return {}
    return {name: [row[name] for row in entity_rows] for name in names}


def text_keys(name: str, texts: Sequence[str], version: int) -> list[bytes]:
    """Keys of one column of texts as Feast encodes them, from its version 3 on."""
    start = serialize_entity_key_prefix([name], version) + struct.pack("<I", KeyType.STRING)
    length = struct.Struct("<I").pack
    return [start + length(len(one)) + one for one in (text.encode() for text in texts)]


def path_of(config: RepoConfig) -> Path:
    """The SQLite file."""
    path = Path(config.online_store.path)
    return path if path.is_absolute() else Path(config.repo_path or ".") / path


def table_of(config: RepoConfig, view: FeatureView) -> str:
    """The table that holds a view."""
    return str(compute_table_id(config.project, view, config.registry.enable_online_feature_view_versioning))


def _proto(make: Callable[[Any], Value] | None, value: Any) -> Value:
    if value is None:
        return Value()
    if make is None or isinstance(value, bytes):
        encoded: Value = Value.FromString(value)
        return encoded
    return make(value)
