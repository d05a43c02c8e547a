"""Reading one file of JSON lines: an object a line, which may hold others, and a list of items.

Values of nested objects become columns such as `geo.country`. An event with several items becomes a row for
each of them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from pipelines.errors import IngestError
from pipelines.ingest.column_names import bare
from pipelines.ingest.columns import TABLES

BYTES_AT_ONCE = 64 * 1024 * 1024
MOST_COLUMNS = 2_000
"""Names that the objects of a file may have altogether; more of them are values, not names."""

ITEM_NAMES = frozenset(
    bare(name)
    for column in TABLES["events"]
    if column.name == "item_id"
    for name in (column.name, *column.also)
)


@dataclass(frozen=True, slots=True)
class JsonPiece:
    """Some rows of a file of JSON lines, and the lines between them that are no objects."""

    rows: pl.DataFrame
    broken_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One value of the objects."""

    name: str
    pointer: str
    """Where it is, as a JSON pointer."""
    kind: str
    """DuckDB's type of it, or `list` of plain values."""


def read_json_lines(path: Path, shown: str) -> Iterator[JsonPiece]:
    """The file's rows in pieces; one empty piece when there are none.

    Raises:
        IngestError: The file is no text in UTF-8, or its objects have too many names.
    """
    empty = True
    try:
        for lines in _lines(path):
            empty = False
            yield _piece(lines, shown)
    except UnicodeDecodeError as error:
        raise IngestError(
            f"{shown}: wrong encoding, expected UTF-8, received byte 0x{error.object[error.start]:02x}. "
            "Convert the file."
        ) from error
    except (OSError, EOFError, pa.ArrowException) as error:
        raise IngestError(
            f"{shown}: expected JSON lines, received something that cannot be read ({error}). "
            "Write the file anew."
        ) from error
    if empty:
        raise IngestError(f"{shown}: the file is empty, expected an object a line. Write the file anew.")


def _lines(path: Path) -> Iterator[list[str]]:
    rest = b""
    with pa.input_stream(str(path)) as stream:
        while block := stream.read(BYTES_AT_ONCE):
            finished, newline, rest = (rest + block).rpartition(b"\n")
            if newline and (lines := _texts(finished)):
                yield lines
    if lines := _texts(rest):
        yield lines


def _texts(block: bytes) -> list[str]:
    return [line for line in block.decode("utf-8-sig").split("\n") if line.strip()]


def frame_of_objects(lines: Sequence[str], shown: str) -> pl.DataFrame:
    """JSON objects as rows, in their order, with a column for every value of the nested ones."""
    rows = pl.DataFrame({"line": lines}, schema={"line": pl.String})
    with duckdb.connect() as connection:
        leaves, _ = _structure(connection, rows, shown)
        return _extract(connection, rows, leaves)


def _piece(lines: list[str], shown: str) -> JsonPiece:
    given = pl.DataFrame({"line": lines})
    with duckdb.connect() as connection:
        objects = _query(
            connection,
            "SELECT line, coalesce(json_type(object) = 'OBJECT', false) AS is_object "
            "FROM (SELECT line, CASE WHEN json_valid(line) THEN line END AS object FROM given)",
            given,
        )
        broken = tuple(objects.filter(~pl.col("is_object"))["line"])
        rows = objects.filter("is_object").select("line")
        if rows.is_empty():
            return JsonPiece(pl.DataFrame(), broken)
        leaves, lists = _structure(connection, rows, shown)
        frame = _extract(connection, rows, leaves)
        if not any(bare(leaf.name) in ITEM_NAMES for leaf in leaves):
            for leaf in lists:
                items = _exploded(connection, rows, leaf)
                inner, _ = _structure(connection, items.select("line").drop_nulls(), shown)
                if any(bare(each.name) in ITEM_NAMES for each in inner):
                    frame = _with_items(frame, items, _extract(connection, items, inner))
                    break
    return JsonPiece(frame, broken)


def _query(connection: duckdb.DuckDBPyConnection, query: str, given: pl.DataFrame) -> pl.DataFrame:
    connection.register("given", given.to_arrow())
    return pl.DataFrame(connection.sql(query).to_arrow_table())


def _structure(
    connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, shown: str
) -> tuple[list[_Leaf], list[_Leaf]]:
    """The plain values of the objects, and their lists of objects."""
    if rows.is_empty():
        return [], []
    found = _query(connection, "SELECT json_group_structure(line::JSON) AS structure FROM given", rows)
    leaves: list[_Leaf] = []
    lists: list[_Leaf] = []
    _walk(json.loads(found["structure"][0]), "", "", leaves, lists)
    if len(leaves) > MOST_COLUMNS:
        raise IngestError(
            f"{shown}: expected objects with the same names, received {len(leaves):,} different ones, "
            f"at most {MOST_COLUMNS:,} are read. Write values as values, not as names."
        )
    return leaves, lists


def _walk(structure: Any, name: str, pointer: str, leaves: list[_Leaf], lists: list[_Leaf]) -> None:
    if isinstance(structure, dict):
        for key, inner in structure.items():
            step = key.replace("~", "~0").replace("/", "~1")
            _walk(inner, f"{name}.{key}" if name else key, f"{pointer}/{step}", leaves, lists)
    elif not isinstance(structure, list):
        leaves.append(_Leaf(name, pointer, str(structure)))
    elif structure and isinstance(structure[0], dict):
        lists.append(_Leaf(name, pointer, "list"))
    elif structure and not isinstance(structure[0], list):
        leaves.append(_Leaf(name, pointer, "list"))


def _extract(
    connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, leaves: Sequence[_Leaf]
) -> pl.DataFrame:
    """A column for each leaf: text, numbers with a fraction, or lists of text."""
    columns = []
    for index, leaf in enumerate(leaves):
        pointer = leaf.pointer.replace("'", "''")
        value = f"json_extract_string(line, '{pointer}')"
        if leaf.kind == "list":
            value = f"from_json(json_extract(line, '{pointer}'), '[\"VARCHAR\"]')"
        elif leaf.kind == "DOUBLE":
            value = f"TRY_CAST({value} AS DOUBLE)"
        columns.append(f"{value} AS c{index}")
    if not columns:
        return pl.DataFrame({"line": rows["line"]}).drop("line")
    query = f"SELECT {', '.join(columns)} FROM given"  # noqa: S608
    return _query(connection, query, rows).rename({f"c{i}": leaf.name for i, leaf in enumerate(leaves)})


def _exploded(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, leaf: _Leaf) -> pl.DataFrame:
    """One row for each object of a list (`line`), with the row that it is from and its 0-based place."""
    pointer = leaf.pointer.replace("'", "''")
    query = f"SELECT from_json(json_extract(line, '{pointer}'), '[\"JSON\"]')::VARCHAR[] AS line FROM given"  # noqa: S608
    lists = _query(connection, query, rows).with_row_index("row")
    exploded = lists.explode("line", empty_as_null=True, keep_nulls=True)
    return exploded.with_columns(pl.int_range(pl.len()).over("row").alias("place"))


def _with_items(frame: pl.DataFrame, items: pl.DataFrame, inner: pl.DataFrame) -> pl.DataFrame:
    """The rows of `frame`, once for each of their items, with the columns of the items."""
    rows = frame[items["row"]]
    if "event_id" in rows.columns:  # each row is an event of its own
        numbered = pl.concat_str(rows["event_id"].cast(pl.String), pl.lit("-"), items["place"] + 1)
        first = pl.when(items["place"] == 0).then(rows["event_id"].cast(pl.String)).otherwise(numbered)
        rows = rows.with_columns(first.alias("event_id"))
    return rows.hstack(inner.rename(lambda name: name if name not in rows.columns else f"items.{name}"))
