"""A Parquet, CSV or JSON lines file, or a folder of them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch, Broken, Position
from pipelines.ingest.cleaning import DecimalMarks
from pipelines.ingest.column_names import guess_table, received, to_batch
from pipelines.ingest.mapping import Mapping, TableMapping
from pipelines.ingest.sources.csv_file import CsvFormat, read_csv
from pipelines.ingest.sources.json_file import read_json_lines
from pipelines.ingest.sources.parquet_file import read_parquet

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".tsv", ".dat", ".csv.gz", ".tsv.gz", ".dat.gz")
JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ENDINGS = (*PARQUET, *CSV, *JSON_LINES)
NAMES = {
    "events": ("events", "event", "user_behavior", "user_behaviour", "behavior", "behaviour", "interactions"),
    "items": ("items", "item", "products", "product", "catalogue", "catalog"),
    "users": ("users", "user", "customers", "customer"),
    "campaigns": ("campaigns",),
    "campaign_targets": ("campaign_targets",),
    "coupons": ("coupons",),
    "coupon_redemptions": ("coupon_redemptions",),
}
"""What a file or its folder is called, by the table that it holds; `events-2024.csv` is `events` too."""

NO_OBJECT = "the line is no JSON object"
BROKEN_LINE = "the line has not as many values as the header has columns"


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    shown: str
    table: str | None
    partitions: dict[str, str]


class Files:
    """The tables in a file, or in all files of a folder and the folders below it.

    Args:
        path: The file or folder.
        shop: What the shop calls its tables and columns.
        shown_as: How a path is called in messages and in the quarantine.
    """

    def __init__(self, path: Path, shop: Mapping, shown_as: Callable[[Path], str] = str) -> None:
        self._root, self._shop, self._shown_as = path, shop, shown_as
        self._skipped: list[str] = []
        self._files = self._find()

    @property
    def name(self) -> str:
        """The path."""
        return self._shown_as(self._root)

    def read(self) -> Iterator[Batch | Broken]:
        """Every row of every file, users and items before events, files in the order of their names."""
        order = list(NAMES)
        for file in sorted(
            self._files, key=lambda each: (order.index(each.table) if each.table else 0, each.path)
        ):
            if _is_parquet(file.path):
                for rows in read_parquet(file.path, file.shown):
                    yield self._batch(file, rows)
            elif file.path.name.lower().endswith(JSON_LINES):
                yield from self._read_json_lines(file)
            else:
                yield from self._read_csv(file)

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """None: files are read whole each time, and what is known is found to be a duplicate."""
        return []

    def skipped(self) -> list[str]:
        """Files of other kinds."""
        return self._skipped

    def _read_csv(self, file: _File) -> Iterator[Batch | Broken]:
        marks = None
        told = self._shop.of(file.table) if file.table else TableMapping()
        csv_format = CsvFormat(self._shop.encoding, self._shop.separator_of(file.table), told.header)
        for piece in read_csv(file.path, file.shown, csv_format):
            table = self._table_of(file, piece.rows)
            marks = marks or self._shop.notation(table).marks("," if piece.separator == ";" else None)
            batch = self._batch(file, piece.rows, marks)
            yield batch
            if piece.broken_lines:
                yield Broken(batch.table, file.shown, piece.broken_lines, BROKEN_LINE)

    def _read_json_lines(self, file: _File) -> Iterator[Batch | Broken]:
        table = file.table
        for piece in read_json_lines(file.path, file.shown):
            if piece.rows.height:
                table = self._table_of(file, piece.rows)
                yield self._batch(file, piece.rows, self._shop.notation(table).marks())
            if piece.broken_lines:
                yield Broken(table or "events", file.shown, piece.broken_lines, NO_OBJECT)

    def _batch(self, file: _File, rows: pl.DataFrame, marks: DecimalMarks | None = None) -> Batch:
        added = {name: value for name, value in file.partitions.items() if name not in rows.columns}
        rows = rows.with_columns(pl.lit(value, pl.String).alias(name) for name, value in added.items())
        return to_batch(self._table_of(file, rows), rows, file.shown, self._shop, marks)

    def _table_of(self, file: _File, rows: pl.DataFrame) -> str:
        table = file.table or guess_table(rows.columns)
        if table is None:
            raise IngestError(
                f"{file.shown}: expected a table of events, items or users, received the columns "
                f"{received(rows.columns)}, which do not tell. Name the file events, items or users, or name "
                "it in a mapping file (`tables: {events: {from: your-file.csv}}`)."
            )
        return table

    def _find(self) -> list[_File]:
        if not self._root.exists():
            raise IngestError(
                f"{self.name}: expected a file or a folder, received a path where there is nothing. Other "
                "sources: mysql://…, s3://…, complete-journey, event-log."
            )
        if self._root.is_file():
            return [self._file(self._root, self._root.parent)]
        found = []
        for path in sorted(self._root.rglob("*")):
            below = path.relative_to(self._root)
            if path.name == "_delta_log":
                raise IngestError(
                    f"{self._shown_as(path.parent)}: expected Parquet, CSV or JSON lines files, received a "
                    "Delta table, whose folder holds deleted rows too. Export its present rows as Parquet."
                )
            if any(part.startswith((".", "_")) for part in below.parts) or not path.is_file():
                continue
            file = self._file(path, self._root) if self._is_table(path) else None
            if file is None or (self._shop.tables and file.table is None):
                self._skipped.append(self._shown_as(path))
            else:
                found.append(file)
        if not found:
            raise IngestError(
                f"{self.name}: expected Parquet, CSV or JSON lines files, received a folder with none"
                f"{f' (skipped: {received(self._skipped)})' if self._skipped else ''}. Files end in "
                f"{', '.join(ENDINGS)}."
            )
        return found

    def _file(self, path: Path, root: Path) -> _File:
        shown = self._shown_as(path)
        if not self._is_table(path):
            raise IngestError(
                f"{shown}: expected a Parquet, CSV or JSON lines file, received another ending. Files end in "
                f"{', '.join(ENDINGS)}."
            )
        folders = path.relative_to(root).parts[:-1]
        partitions = {name: value for name, _, value in (part.partition("=") for part in folders) if value}
        return _File(
            path,
            shown,
            self._table(path, [root.name, *folders]),
            {
                name: unquote(value)
                for name, value in partitions.items()
                if value != "__HIVE_DEFAULT_PARTITION__"
            },
        )

    def _table(self, path: Path, folders: list[str]) -> str | None:
        """The table that the mapping, the file's name or one of its folders says; None where nothing does."""
        if (named := self._named_in_mapping(path)) is not None:
            return named
        candidates = [path.name, *reversed(folders)]
        named = next((found for name in candidates if (found := _named(name)) is not None), None)
        if not self._shop.tables:
            return named
        # A mapping of one table and one file need not say which file it is.
        wanted = [table for table, told in self._shop.tables.items() if told.origin is None]
        if named in wanted:
            return named
        return wanted[0] if len(wanted) == 1 and path == self._root else None

    def _named_in_mapping(self, path: Path) -> str | None:
        names = (path.name, path.stem, str(path))
        for table, told in self._shop.tables.items():
            if told.origin and any(fnmatch(name, told.origin) for name in names):
                return table
        return None

    def _is_table(self, path: Path) -> bool:
        """Whether the file ends like a table, or is one by the mapping, which may name `u.data`."""
        return path.name.lower().endswith(ENDINGS) or self._named_in_mapping(path) is not None


def _named(name: str) -> str | None:
    stem = re.split(r"[.\d=]|-", name.lower(), maxsplit=1)[0].strip("_ ")
    return next((table for table, names in NAMES.items() if stem in names), None)


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(PARQUET)
