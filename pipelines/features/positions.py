"""Which row of a feature table was known at each entity row, as its number in the table.

A join that carries wide rows sorts and copies them all. Here it carries keys as small numbers, instants, and
a number for each feature row; the features are then picked by these numbers, some columns at a time, and each
row that nobody asked for is left where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FeatureError
from pipelines.features.asof import AT, ROW, JoinedView, asof_join, quoted

POSITION = "__position"
"""Column that numbers the feature rows."""

KNOWN_AT, CREATED_AT = "__known_at", "__created_at"
"""Columns of the feature rows with their instants."""

UNKNOWN = -1
"""Position where nothing was known."""

COLUMNS_AT_ONCE = 4
"""Features of a view that are read at a time."""

ROWS_AT_ONCE = 131_072
"""Feature rows that are read, and entity rows that are answered, at a time."""

CHUNK_BYTES = 2**31 - 1
"""What texts or lists of one Arrow array can hold; more of them are picked by wider offsets."""

Positions = npt.NDArray[np.int32]


class PointInTimeJoin:
    """The entity rows, joined with one view after the other."""

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
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        for name, dataset in {**datasets, "entities_given": entities}.items():
            self._connection.register(name, dataset)

    def __enter__(self) -> PointInTimeJoin:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def known_at(self, view: JoinedView) -> pa.ChunkedArray:
        """Since when the row was known that each entity row finds; its time to live does not count."""
        found = self._joined(replace(view, ttl=None), KNOWN_AT)
        return found[KNOWN_AT].take(pc.sort_indices(found, sort_keys=[(ROW, "ascending")]))

    def positions(self, view: JoinedView) -> Positions:
        """The number of the row that each entity row finds, in the order of its table; -1: none."""
        found = self._joined(view, POSITION)
        rows = found[ROW].to_numpy()
        positions = np.full(self._entities.num_rows, UNKNOWN, np.int32)
        positions[rows] = found[POSITION].fill_null(UNKNOWN).to_numpy()
        return positions

    def features(self, view: JoinedView, positions: Positions) -> Iterator[tuple[str, Iterator[pa.Array]]]:
        """Name and values of each feature at these positions, null where there is none; in parts of rows.

        The parts of one feature are to be taken before the next one is asked for.
        """
        asked, places = _asked_for(positions)
        for start in range(0, len(view.features), COLUMNS_AT_ONCE):
            some = view.features[start : start + COLUMNS_AT_ONCE]
            columns = ", ".join(f"{quoted(source)} AS {quoted(name)}" for source, name in some)
            query = f"SELECT {columns} FROM {view.relation}"  # noqa: S608 - quoted
            read = rows_in_order(self._connection, query, asked).columns
            for _, name in some:
                yield name, picked(read.pop(0), places)

    def _joined(self, view: JoinedView, wanted: str) -> pa.Table:
        """`__row` and one of the columns of the feature rows for every entity row, in no order."""
        entities, rows = self._narrow(view)
        narrow = replace(
            view,
            relation="feature_rows",
            keys=tuple((name, name) for name in entities.column_names[2:]),
            features=((wanted, wanted),),
            known_at=KNOWN_AT,
            created_at=CREATED_AT if view.created_at else None,
        )
        self._connection.register("feature_rows", rows)
        self._connection.register("entities", entities)
        self._connection.execute("SET preserve_insertion_order = false")
        query = asof_join(narrow, created_before=self._created_before)
        found = self._connection.sql(query).to_arrow_table()
        if found.num_rows != entities.num_rows:
            raise FeatureError(f"{entities.num_rows} entity rows in, {found.num_rows} out: report this")
        return found

    def _narrow(self, view: JoinedView) -> tuple[pa.Table, pa.Table]:
        """Entity rows and feature rows with their keys and instants only."""
        columns = {f"__key_{place}": theirs for place, (_, theirs) in enumerate(view.keys)}
        columns[KNOWN_AT] = view.known_at
        if view.created_at:
            columns[CREATED_AT] = view.created_at
        read = ", ".join(f"{quoted(source)} AS {quoted(name)}" for name, source in columns.items())
        rows = rows_in_order(self._connection, f"SELECT {read} FROM {view.relation}")  # noqa: S608 - quoted
        rows = rows.append_column(POSITION, pa.array(np.arange(rows.num_rows, dtype=np.int32)))
        entities = self._entities.select([ROW, AT])
        for place, (ours, theirs) in enumerate(view.keys):
            name = f"__key_{place}"
            codes, different = self._coded(ours, view.relation, theirs, rows.schema.field(name).type)
            entities = entities.append_column(name, codes)
            if different is not None:
                known = pc.index_in(rows[name], value_set=different, skip_nulls=True)
                rows = rows.set_column(place, name, known).filter(pc.is_valid(known))
        return entities, rows

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
        kind = dict(self._connection.execute(described).fetchall())[theirs]
        query = f"SELECT TRY_CAST({quoted(name)} AS {kind}) AS key FROM entities_given"  # noqa: S608 - quoted
        return rows_in_order(self._connection, query)["key"]


def rows_in_order(connection: Any, query: str, asked: npt.NDArray[np.bool_] | None = None) -> pa.Table:
    """Return the rows of a scan in the order of its files, the same in every scan.

    Args:
        connection: To DuckDB.
        query: Columns of one relation, without conditions.
        asked: Which rows to return, by their numbers; those beyond its end are not. None: all.
    """
    connection.execute("SET preserve_insertion_order = true")
    if asked is None:
        return connection.sql(query).to_arrow_table()
    reader = connection.sql(query).to_arrow_reader(ROWS_AT_ONCE)
    parts, start = [], 0
    for batch in reader:
        some = asked[start : start + batch.num_rows]
        if not len(some):
            break
        whole = len(some) == batch.num_rows and some.all()
        parts.append(batch if whole else batch.slice(0, len(some)).filter(pa.array(some)))
        start += batch.num_rows
    return pa.Table.from_batches(parts, reader.schema)


def picked(
    column: pa.ChunkedArray,
    places: pa.Array,
    rows_at_once: int = ROWS_AT_ONCE,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[pa.Array]:
    """Yield a column's values at these places, in parts; null where a place is.

    Args:
        column: Values.
        places: Numbers of values, or null.
        rows_at_once: Length of a part.
        chunk_bytes: A column of more bytes is picked by 64-bit offsets.
    """
    kind = column.type
    if column.nbytes > chunk_bytes:
        column = column.cast(_with_wide_offsets(kind))
    values = column.combine_chunks()
    del column
    for start in range(0, max(1, len(places)), rows_at_once):
        part = values.take(places.slice(start, rows_at_once))
        yield part if part.type == kind else part.cast(kind)


def _asked_for(positions: Positions) -> tuple[npt.NDArray[np.bool_], pa.Array]:
    """Which rows of the table are asked for, and the place of each position among them."""
    known = positions != UNKNOWN
    asked = np.zeros(positions.max(initial=UNKNOWN) + 1, bool)
    asked[positions[known]] = True
    places = (np.cumsum(asked, dtype=np.int32) - 1)[positions] if len(asked) else positions
    return asked, pa.array(places, mask=~known)


def _with_wide_offsets(kind: pa.DataType) -> pa.DataType:
    wide: dict[Callable[[pa.DataType], bool], pa.DataType] = {
        pa.types.is_string: pa.large_string(),
        pa.types.is_binary: pa.large_binary(),
    }
    if pa.types.is_list(kind):
        return pa.large_list(kind.value_field.with_type(_with_wide_offsets(kind.value_type)))
    return next((to for is_kind, to in wide.items() if is_kind(kind)), kind)
