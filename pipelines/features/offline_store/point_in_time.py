"""Which row of a feature table was known at each entity row, as its number in the table.

A join that carries wide rows sorts and copies them all. Here it carries keys as small numbers, instants, and
a number for each feature row; the features are then picked by these numbers, some columns at a time, and each
row that nobody asked for is left where it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FeatureError
from pipelines.features.offline_store.asof_search import UNKNOWN, AsofIndex, Positions
from pipelines.features.offline_store.asof_sql import AT, ROW, JoinedView, asof_join
from pipelines.features.offline_store.gather import picked, rows_in_order
from pipelines.features.offline_store.row_selection import RowSelection
from serving.features.online_store import quoted

POSITION = "__position"
"""Column that numbers the feature rows."""

KNOWN_AT, CREATED_AT = "__known_at", "__created_at"
"""Columns of the feature rows with their instants."""


class PointInTimeJoin:
    """The entity rows, joined with views; several threads may ask it at the same time."""

    def __init__(self, entities: pa.Table, datasets: Mapping[str, Any], *, created_before: bool) -> None:
        """Open a connection.

        Args:
            entities: `__row`, from zero on and in order, `__at` and the entity columns.
            datasets: What stands under a name in the relations of the views.
            created_before: Leave out feature rows created after the instant of the entity row.
        """
        import duckdb

        self._entities = entities
        self._created_before = created_before
        self._codes: dict[tuple[str, pa.DataType], tuple[pa.Array, pa.Array | None]] = {}
        self._coding = threading.Lock()
        self._given = {**datasets, "entities_given": entities}
        self._connection = duckdb.connect()

    def __enter__(self) -> PointInTimeJoin:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def known_at(self, view: JoinedView) -> pa.ChunkedArray:
        """Since when the row was known that each entity row finds; its time to live does not count."""
        positions = self.positions(replace(view, ttl=None))
        query = f"SELECT {quoted(view.known_at)} AS {KNOWN_AT} FROM {view.relation}"  # noqa: S608 - quoted
        with self._reading() as connection:
            instants = rows_in_order(connection, query)[KNOWN_AT]
        return instants.take(pa.array(positions, mask=positions == UNKNOWN))

    def positions(self, view: JoinedView) -> Positions:
        """The number of the row that each entity row finds, in the order of its table; -1: none."""
        entities, rows, are_numbers = self._narrow(view)
        if not are_numbers or (self._created_before and view.created_at):
            return self._joined(view, entities, rows)
        keys, row_keys = _one_key(entities, rows, len(view.keys))
        created_at = rows[CREATED_AT].combine_chunks() if view.created_at else None
        known = AsofIndex(row_keys, _microseconds(rows[KNOWN_AT]), created_at, lookups=len(keys))
        return known.newest(keys, _microseconds(entities[AT]), view.ttl)

    def features(self, view: JoinedView, asked: RowSelection) -> Iterator[tuple[str, Iterator[pa.Array]]]:
        """Name and values of each feature of a view, null where nothing was known; in parts of rows."""
        columns = ", ".join(f"{quoted(source)} AS {quoted(name)}" for source, name in view.features)
        query = f"SELECT {columns} FROM {view.relation}"  # noqa: S608 - quoted
        with self._reading() as connection:
            rows = rows_in_order(connection, query, asked.mask)
        if rows.num_rows != asked.count:
            raise FeatureError(
                f"expected {asked.count} rows of {view.relation}, received {rows.num_rows}: its files were "
                "changed while they were read; ask again"
            )
        read = rows.columns
        del rows
        for _, name in view.features:
            yield name, picked(read.pop(0), asked.parts)

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A connection for one thread: they cannot share one, and each has to be told anew what it reads."""
        with self._connection.cursor() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, rows in self._given.items():
                connection.register(name, rows)
            yield connection

    def _joined(self, view: JoinedView, entities: pa.Table, rows: pa.Table) -> Positions:
        """The positions as DuckDB joins them: keys of any type, and rows created by then."""
        narrow = replace(
            view,
            relation="feature_rows",
            keys=tuple((f"__key_{place}", f"__key_{place}") for place in range(len(view.keys))),
            features=((POSITION, POSITION),),
            known_at=KNOWN_AT,
            created_at=CREATED_AT if view.created_at else None,
        )
        numbers = pa.array(np.arange(rows.num_rows, dtype=np.int32))
        query = asof_join(narrow, created_before=self._created_before)
        with self._reading() as connection:
            connection.register("feature_rows", rows.append_column(POSITION, numbers))
            connection.register("entities", entities)
            found = connection.sql(query).to_arrow_table()
        if found.num_rows != entities.num_rows:
            raise FeatureError(f"{entities.num_rows} entity rows in, {found.num_rows} out: report this")
        positions = np.full(entities.num_rows, UNKNOWN, np.int32)
        positions[found[ROW].to_numpy()] = found[POSITION].fill_null(UNKNOWN).to_numpy()
        return positions

    def _narrow(self, view: JoinedView) -> tuple[pa.Table, pa.Table, bool]:
        """Entity rows and feature rows with their keys and instants only, and whether all keys are numbers.

        A number of a key is that of the different keys of the entity rows, on both sides.
        """
        columns = {f"__key_{place}": quoted(theirs) for place, (_, theirs) in enumerate(view.keys)}
        columns[KNOWN_AT] = f"{quoted(view.known_at)}::TIMESTAMPTZ"
        if view.created_at:
            columns[CREATED_AT] = quoted(view.created_at)
        read = ", ".join(f"{source} AS {quoted(name)}" for name, source in columns.items())
        with self._reading() as connection:
            rows = rows_in_order(connection, f"SELECT {read} FROM {view.relation}")  # noqa: S608 - quoted
        entities, are_numbers = self._entities.select([ROW, AT]), True
        for place, (ours, theirs) in enumerate(view.keys):
            name = f"__key_{place}"
            with self._coding:
                codes, different = self._coded(ours, view.relation, theirs, rows.schema.field(name).type)
            entities = entities.append_column(name, codes)
            if different is None:
                are_numbers = False
            else:
                known = pc.index_in(rows[name], value_set=different, skip_nulls=True)
                rows = rows.set_column(place, name, known)
        return entities, rows, are_numbers

    def _coded(
        self, name: str, relation: str, theirs: str, kind: pa.DataType
    ) -> tuple[pa.Array, pa.Array | None]:
        """Keys of the entity rows in the type of the feature table, so that 900 finds '900'.

        Texts and whole numbers as numbers of the different ones, and these; others as they are, and None.
        """
        if (name, kind) not in self._codes:
            keys = self._entities[name]
            if keys.type != kind:
                keys = self._cast(name, relation, theirs)
            keys = keys.combine_chunks()
            if pa.types.is_string(kind) or pa.types.is_integer(kind):
                encoded = keys.dictionary_encode()
                self._codes[name, kind] = encoded.indices, encoded.dictionary
            else:
                self._codes[name, kind] = keys, None
        return self._codes[name, kind]

    def _cast(self, name: str, relation: str, theirs: str) -> pa.ChunkedArray:
        described = f"SELECT column_name, column_type FROM (DESCRIBE FROM {relation})"  # noqa: S608 - ours
        with self._reading() as connection:
            kind = dict(connection.execute(described).fetchall())[theirs]
            query = f"SELECT TRY_CAST({quoted(name)} AS {kind}) AS key FROM entities_given"  # noqa: S608 - quoted
            return rows_in_order(connection, query)["key"]


def _one_key(entities: pa.Table, rows: pa.Table, count: int) -> tuple[pa.Array, pa.Array]:
    """The numbers of several keys as one number, the same on both sides; without any key all are alike."""
    ours, theirs = (pa.array(np.zeros(table.num_rows, np.int32)) for table in (entities, rows))
    for place in range(count):
        here, there = (table[f"__key_{place}"].combine_chunks() for table in (entities, rows))
        if place == 0:
            ours, theirs = here, there
            continue
        different = pa.scalar(1 + (pc.max(here).as_py() or 0), pa.int64())
        pairs = pc.add(pc.multiply(ours.cast(pa.int64()), different), here).dictionary_encode()
        known = pc.add(pc.multiply(theirs.cast(pa.int64()), different), there)
        ours, theirs = pairs.indices, pc.index_in(known, value_set=pairs.dictionary, skip_nulls=True)
    return ours, theirs


def _microseconds(instants: pa.ChunkedArray) -> pa.Array:
    return instants.combine_chunks().cast(pa.int64())
