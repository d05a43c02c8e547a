"""The engine that computes features: what it must do, and which one the settings choose."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from pipelines.features.engines.duckdb import duckdb_engine
from pipelines.lake import Lake
from pipelines.settings import Settings

Keep = Callable[[ir.Table], ir.Table]
"""Computes a table once, for expressions that read it several times."""


class Engine(Protocol):
    """One connection that runs Ibis expressions over the tables of the lake."""

    def table(self, lake: Lake, name: str, columns: Sequence[str], version: int | None = None) -> ir.Table:
        """A lake table as an expression, with these columns only."""

    def given(self, rows: pa.Table) -> ir.Table:
        """Rows of this process as an expression."""

    def keep(self, table: ir.Table) -> ir.Table:
        """Compute a table once, for expressions that read it several times."""

    def passing(self) -> AbstractContextManager[None]:
        """Forget at the end of the block what was kept in it."""

    def parts(self, events: int) -> int:
        """Into how many parts a shop's users are best divided, so that the memory for one has a bound."""

    def rows(self, table: ir.Table, schema: pa.Schema) -> pa.RecordBatchReader:
        """Run an expression and stream its rows, in no order and in exactly these types."""


Connect = Callable[[], AbstractContextManager[Engine]]
"""Opens a connection that ends, with everything it kept, when its block ends."""


def engine_of(settings: Settings) -> Connect:
    """The engine that `AISLE_ENGINE` names; Spark is imported only when it is chosen."""
    if settings.engine == "duckdb":
        return partial(duckdb_engine, settings.duckdb_memory)
    from pipelines.features.engines.spark import spark_engine

    return partial(spark_engine, settings)
