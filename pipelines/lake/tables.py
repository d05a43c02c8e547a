"""Reading and writing the Delta tables of the lake."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from pipelines.errors import LakeError
from pipelines.lake.schemas import KEYS, PARTITIONS, SCHEMAS
from pipelines.lake.stores import arrow_filesystem, as_path, storage_options
from pipelines.settings import Settings

if TYPE_CHECKING:
    import polars as pl

COMMIT_ATTEMPTS = 60
"""How often a commit is tried anew when other writers were faster."""

KEYS_AT_ONCE = 4_000_000
"""How many stored keys are compared at a time, so that memory stays bounded however long the history is."""

ROW = "_row"
"""Number of a row among those that are to be stored."""


class Lake:
    """The Delta tables under one root.

    Every commit is optimistic: it is built on a version, and refused by the store if another writer was
    faster; it is then built anew on what that writer left. So writers in any number of processes lose
    nothing and double nothing.

    Args:
        root: A local folder or an `s3://` address; made on first use.
        storage_options: How the object store is reached, in the names of delta-rs.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = str(root).rstrip("/")
        self._storage_options = dict(storage_options or {})

    @property
    def root(self) -> str:
        """Where the tables are."""
        return self._root

    def exists(self, table: str) -> bool:
        """Whether the table has been written at least once."""
        try:
            return DeltaTable.is_deltatable(self._address(table), storage_options=self._storage_options)
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"The lake {self._root} cannot be reached: {error}. Check AISLE_LAKE_URI and AISLE_S3_…"
            ) from error

    def version(self, table: str) -> int:
        """The table's newest version, 0 or above."""
        return self._open(table).version()

    def versions(self) -> dict[str, int]:
        """The newest version of every shop table that exists, by table."""
        return {table: self.version(table) for table in SCHEMAS if self.exists(table)}

    def uris(self, table: str, version: int | None = None) -> list[str]:
        """The Parquet files that hold the table; a partition column stands in the path alone."""
        stored = self._open(table, version)
        return sorted(as_path(uri, stored.table_uri) for uri in stored.file_uris())

    def dataset(self, table: str, version: int | None = None) -> pads.Dataset:
        """The table as a dataset that Arrow and DuckDB scan without loading it whole."""
        return self._scan(self._open(table, version))

    def read(self, table: str, columns: Sequence[str] | None = None, version: int | None = None) -> pa.Table:
        """The table's rows, or some of its columns, in no order to rely on."""
        return self.dataset(table, version).to_table(columns=None if columns is None else list(columns))

    def rows_with(self, table: str, column: str, values: pl.Series) -> pl.DataFrame:
        """The table's rows whose `column` holds one of the values, read in portions."""
        import polars as pl

        wanted = values.drop_nulls().unique()
        if wanted.is_empty():
            return _frame(self.dataset(table).schema.empty_table())
        stored = self._open(table)
        kind = pa.schema(stored.schema()).field(column).type
        lowest, highest = (pa.scalar(end, kind) for end in (wanted.min(), wanted.max()))
        within = (pc.field(column) >= lowest) & (pc.field(column) <= highest)
        frame, parts = wanted.alias(column).to_frame(), []
        for portion in _in_portions(self._scan(stored).scanner(filter=within).to_batches()):
            parts.append(_frame(portion).join(frame, on=column, how="semi"))
        return pl.concat(parts) if parts else _frame(self.dataset(table).schema.empty_table())

    def last_event_at(self) -> datetime | None:
        """The instant of the newest event, or None while there is no event."""
        if not self.exists("events"):
            return None
        events = self._open("events")
        days = [partition["event_on"] for partition in events.partitions()]
        if not days:
            return None
        newest_day = [("event_on", "=", max(map(str, days)))]
        newest = self._scan(events, newest_day).to_table(columns=["event_at"])
        last: datetime | None = pc.max(newest["event_at"]).as_py()
        return None if last is None else last.astimezone(UTC)

    def make(self, table: str) -> None:
        """Make one of the lake's own tables, without rows, if it is missing."""
        self._open_or_create(table, SCHEMAS[table])

    def append_new(self, table: str, rows: pa.Table, key: str | Sequence[str] | None = None) -> int:
        """Store the rows whose key is not stored yet, once each, and return how many that were.

        Of rows that share a key the first is kept. Nothing is committed when no row is new.

        Args:
            table: Name of the table, made when missing.
            rows: What to store, in the columns of the table.
            key: Columns that tell rows apart; by default those of `KEYS`.
        """
        keys = [key] if isinstance(key, str) else list(key or KEYS[table])
        wanted = _frame(rows.select(keys)).with_row_index(ROW).unique(subset=keys, keep="first")
        for attempt in range(COMMIT_ATTEMPTS):
            if wanted.is_empty():
                return 0
            stored = self._open_or_create(table, rows.schema)
            wanted = self._without_stored(wanted, keys, stored)
            if wanted.is_empty():
                return 0
            new = rows if wanted.height == rows.num_rows else rows.take(wanted[ROW].sort().to_arrow())
            if self._commit(stored, new):
                return wanted.height
            time.sleep(min(0.02 * (attempt + 1), 0.5))
        raise LakeError(
            f"Table {table} under {self._root} was changed by others during each of {COMMIT_ATTEMPTS} "
            "attempts to append to it, expected to get through. Try again when fewer writers are at work."
        )

    def append(self, table: str, rows: pa.Table) -> None:
        """Store the rows, whatever is there already."""
        with _translated(table, self._root):
            write_deltalake(self._open_or_create(table, rows.schema), rows, mode="append")

    def replace(
        self,
        table: str,
        rows: pa.Table,
        partition_by: Sequence[str] = (),
        predicate: str | None = None,
    ) -> None:
        """Put the rows in the place of the whole table, or of the rows for which `predicate` holds.

        Args:
            table: Name of the table, made when missing.
            rows: What the table, or the replaced part of it, holds afterwards.
            partition_by: Columns that split the table into folders, used when the table is made.
            predicate: SQL condition such as `known_on = '2024-05-01'`; the new rows must fulfil it as well.
        """
        with _translated(table, self._root):
            write_deltalake(
                self._address(table),
                rows,
                mode="overwrite",
                predicate=predicate,
                partition_by=list(partition_by or PARTITIONS.get(table, ())) or None,
                schema_mode="overwrite" if predicate is None else None,
                storage_options=self._storage_options,
            )

    def remove(self, table: str, column: str, values: pl.Series) -> int:
        """Take the rows out whose `column` holds one of the values, and return how many that were.

        The whole table is written anew, so it should be a small one. Earlier versions still have the rows.
        """
        # delta-rs' own `delete` writes files whose texts Arrow's filters cannot compare.
        for attempt in range(COMMIT_ATTEMPTS):
            stored = self._open(table)
            rows = _frame(self._scan(stored).to_table())
            kept = rows.join(values.alias(column).to_frame(), on=column, how="anti", maintain_order="left")
            if kept.height == rows.height:
                return 0
            if self._commit(stored, kept.to_arrow().cast(pa.schema(stored.schema())), mode="overwrite"):
                return rows.height - kept.height
            time.sleep(min(0.02 * (attempt + 1), 0.5))
        raise LakeError(
            f"Table {table} under {self._root} was changed by others during each of {COMMIT_ATTEMPTS} "
            "attempts to take rows out, expected to get through. Try again when fewer writers are at work."
        )

    def _address(self, table: str) -> str:
        return f"{self._root}/{table}"

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self._address(table), version=version, storage_options=self._storage_options)
        except TableNotFoundError as error:
            raise LakeError(
                f"Expected table {table} in the lake {self._root}, received none. "
                "Ingest shop data first (`aisle ingest …`), and check AISLE_HOME and AISLE_LAKE_URI."
            ) from error
        except (DeltaError, OSError) as error:
            wanted = "" if version is None else f" at version {version}"
            raise LakeError(
                f"Table {table}{wanted} of the lake {self._root} cannot be read: {error}"
            ) from error

    def _open_or_create(self, table: str, schema: pa.Schema) -> DeltaTable:
        if not self.exists(table):
            try:
                DeltaTable.create(
                    self._address(table),
                    SCHEMAS.get(table, schema),
                    partition_by=list(PARTITIONS.get(table, ())),
                    storage_options=self._storage_options,
                )
            except (DeltaError, OSError) as error:
                if not self.exists(table):  # otherwise another writer made it a moment ago
                    raise LakeError(f"Table {table} cannot be made under {self._root}: {error}") from error
        return self._open(table)

    def _scan(self, stored: DeltaTable, where: list[tuple[str, str, str]] | None = None) -> pads.Dataset:
        """The table's files as a dataset, or those of them that can hold rows for which `where` holds."""
        # The file system of delta-rs is Python called from Arrow's threads. At the end of the process such a
        # thread may find the interpreter gone, and the whole process aborts. So Arrow reads the files itself.
        return stored.to_pyarrow_dataset(
            filesystem=arrow_filesystem(stored.table_uri, self._storage_options), file_pruning_predicate=where
        )

    def _without_stored(self, frame: pl.DataFrame, keys: Sequence[str], stored: DeltaTable) -> pl.DataFrame:
        """The rows of `frame` whose keys `stored` does not hold."""
        first, kind = keys[0], pa.schema(stored.schema()).field(keys[0]).type
        lowest, highest = (pa.scalar(end, kind) for end in (frame[first].min(), frame[first].max()))
        within = (pc.field(first) >= lowest) & (pc.field(first) <= highest)
        scanner = self._scan(stored).scanner(columns=list(keys), filter=within)
        for known in _in_portions(scanner.to_batches()):
            frame = frame.join(_frame(known), on=list(keys), how="anti")
        return frame

    def _commit(
        self, stored: DeltaTable, rows: pa.Table, mode: Literal["append", "overwrite"] = "append"
    ) -> bool:
        """Write on top of the version that was read; False when another writer was faster."""
        try:
            write_deltalake(stored, rows, mode=mode, commit_properties=CommitProperties(max_commit_retries=0))
        except CommitFailedError:
            return False
        except (DeltaError, OSError) as error:
            raise LakeError(f"The lake {self._root} refused rows: {error}") from error
        return True


def open_lake(settings: Settings) -> Lake:
    """The lake that the settings name."""
    return Lake(settings.lake_root, storage_options(settings))


def _in_portions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(each) for each in waiting) >= KEYS_AT_ONCE:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _frame(rows: pa.Table) -> pl.DataFrame:
    import polars as pl  # slow to import, and whoever only reads needs none of it

    frame = pl.from_arrow(rows)
    if not isinstance(frame, pl.DataFrame):
        raise LakeError(f"expected a table of rows, received {type(rows).__name__}")
    return frame


@contextmanager
def _translated(table: str, root: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise LakeError(f"Table {table} of the lake {root} could not be written: {error}") from error
