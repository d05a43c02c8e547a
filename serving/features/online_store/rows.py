"""How the online store keeps an entity in SQLite: one row, a column for each feature.

Numbers and texts are SQLite's own, so that any tool can read them. Everything else (lists), and -0.0, which
SQLite would turn into 0.0, are Feast's encoded values. NaN is null, as Feast has it.
"""

import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Bool, FeastType, Float64, Int64, String

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COLUMN_TYPES: dict[FeastType, str] = {Int64: "INTEGER", Float64: "REAL", String: "TEXT", Bool: "BOOLEAN"}
"""SQLite's types of the columns; all other features are `BLOB`."""

NATIVE = frozenset({"int64_val", "double_val", "string_val", "bool_val"})
"""Kinds of Feast's values that SQLite holds itself."""


def quoted(name: str) -> str:
    """A name as SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant_of(stored: int) -> datetime:
    """The instant of microseconds since 1970 UTC."""
    return EPOCH + timedelta(microseconds=stored)


def make_table(connection: sqlite3.Connection, table: str, kinds: Mapping[str, FeastType]) -> None:
    """Make the table of a view, or alter it to these features.

    A new feature is null until it is materialized. One that changed its type empties the table: values of two
    types must not meet in a column.
    """
    wanted = {name: COLUMN_TYPES.get(kind, "BLOB") for name, kind in kinds.items()}
    there = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({quoted(table)})")}
    held = {name: kind for name, kind in there.items() if name not in ("__entity_key", "__event_us")}
    if there and (
        "__event_us" not in there or any(wanted.get(name, kind) != kind for name, kind in held.items())
    ):
        connection.execute(f"DROP TABLE {quoted(table)}")
        held, there = {}, {}
    if not there:
        columns = "".join(f", {quoted(name)} {kind}" for name, kind in wanted.items())
        connection.execute(
            f"CREATE TABLE {quoted(table)} "
            f"(__entity_key BLOB PRIMARY KEY, __event_us INTEGER NOT NULL{columns}) WITHOUT ROWID"
        )
        return
    for name in held.keys() - wanted.keys():
        connection.execute(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(name)}")
    for name in wanted.keys() - held.keys():
        connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {wanted[name]}")


def upsert(table: str, names: Sequence[str]) -> str:
    """SQL that writes one entity: key, instant, and these features in order."""
    columns = ["__entity_key", "__event_us", *map(quoted, names)]
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    return (
        f"INSERT INTO {quoted(table)} ({', '.join(columns)}) "  # noqa: S608 - quoted names
        f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT (__entity_key) DO UPDATE SET {updates}"
    )


def stored_value(value: Value) -> Any:
    """One of Feast's values as SQLite keeps it."""
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    if kind not in NATIVE:
        return value.SerializeToString()
    content = getattr(value, kind)
    if kind == "double_val" and content == 0 and math.copysign(1, content) < 0:
        return value.SerializeToString()
    return int(content) if kind == "bool_val" else content
