"""Features on one machine: Ibis on DuckDB, in this process."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from pipelines.errors import FeatureError
from pipelines.lake import Lake
from pipelines.settings import DUCKDB_MEMORY

BATCH_ROWS = 100_000
"""Rows that are written at a time."""

EVENTS_AT_ONCE = 1_500_000
"""About how many events the users of one part have. Lists and windows cannot be spilled to disk: with their
users' events they need some 2 GB at this size."""


@dataclass(frozen=True, slots=True)
class DuckDBEngine:
    """One connection to a DuckDB of this process."""

    backend: Backend
    """The Ibis backend that runs the expressions."""

    names: Iterator[int]
    """Numbers for names of tables."""

    events_at_once: int
    """About how many events the users of one part have."""

    def table(self, lake: Lake, name: str, columns: Sequence[str], version: int | None = None) -> ir.Table:
        """A lake table as an expression, with these columns only."""
        files = lake.uris(name, version)
        if files and "://" not in lake.root:
            table = self.backend.read_parquet(files, table_name=f"lake_{name}", union_by_name=True)
        else:  # DuckDB needs an extension to read remote files: Arrow reads them for it
            self.backend.con.register(f"lake_{name}", lake.dataset(name, version))
            table = self.backend.table(f"lake_{name}")
        return table.select(*columns)

    def given(self, rows: pa.Table) -> ir.Table:
        """Rows of this process as an expression."""
        name = f"given_{next(self.names)}"
        self.backend.con.register(name, rows)
        return self.backend.table(name)

    def keep(self, table: ir.Table) -> ir.Table:
        """Compute a table once, for expressions that read it several times."""
        return self.backend.create_table(f"kept_{next(self.names)}", table, temp=True)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end of the block what was kept in it."""
        first = next(self.names)
        try:
            yield
        finally:
            for number in range(first, next(self.names)):
                self.backend.raw_sql(f"DROP TABLE IF EXISTS kept_{number}")

    def parts(self, events: int) -> int:
        """Into how many parts a shop's users are best divided, so that the memory for one has a bound."""
        return max(1, -(-events // self.events_at_once))

    def rows(self, table: ir.Table, schema: pa.Schema) -> pa.RecordBatchReader:
        """Run an expression and stream its rows, in no order and in exactly these types.

        Ibis takes a sum of int64 for an int64; DuckDB makes it a 128-bit number, and Arrow a decimal.
        """
        found = self.backend.con.sql(self.backend.compile(table)).to_arrow_reader(BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in found))


@contextmanager
def duckdb_engine(
    memory: str = DUCKDB_MEMORY, events_at_once: int = EVENTS_AT_ONCE
) -> Iterator[DuckDBEngine]:
    """Open a connection that ends, with everything it kept, when the block ends.

    Args:
        memory: What it may hold, as `AISLE_DUCKDB_MEMORY` takes it.
        events_at_once: About how many events the users of one part have.

    Raises:
        FeatureError: DuckDB could not hold what cannot be spilled.
    """
    with tempfile.TemporaryDirectory(prefix="aisle-features-") as spill:
        backend = ibis.duckdb.connect(memory_limit=memory, temp_directory=spill)
        try:
            backend.raw_sql("SET TimeZone = 'UTC'")  # or days would be those of this machine's zone
            backend.raw_sql("SET preserve_insertion_order = false")
            yield DuckDBEngine(backend, itertools.count(), events_at_once)
        except duckdb.OutOfMemoryException as error:
            reason = str(error).splitlines()[0]
            raise FeatureError(
                f"expected features to need at most AISLE_DUCKDB_MEMORY={memory}; DuckDB says: {reason}; "
                "raise it, or compute on Spark (AISLE_ENGINE=spark)"
            ) from error
        finally:
            backend.disconnect()
