"""Features on many machines: the same Ibis expressions on Spark.

What is kept and what is asked for is written as Parquet into a scratch folder that the workers and this
process both reach. So memory stays bounded on either side, and no result passes through Spark's driver.
"""

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.dataset as pads

from pipelines.errors import FeatureError
from pipelines.features.engines.spark_dialect import SparkDialect
from pipelines.features.engines.spark_session import spark_errors, spark_session
from pipelines.lake import Lake
from pipelines.settings import Settings

BATCH_ROWS = 20_000
"""Rows that are read back at a time."""


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """One session of Spark, and the folder of what it computed."""

    backend: Any
    """The Ibis backend that runs the expressions."""

    session: Any
    """The session of Spark behind it."""

    scratch: Path
    """Folder of what was computed."""

    names: Iterator[int]
    """Numbers for names of tables."""

    def table(self, lake: Lake, name: str, columns: Sequence[str], version: int | None = None) -> ir.Table:
        """A lake table as an expression, with these columns only: the Parquet files of one version.

        Spark needs no knowledge of Delta for it: which files make a version is told by the lake.
        """
        whole = lake.dataset(name, version).schema
        schema = pa.schema([whole.field(one) for one in columns])
        files = [_address(uri) for uri in lake.uris(name, version)]
        if not files:
            return self.given(schema.empty_table())
        return self._named(self.session.read.schema(_spark_schema(schema)).parquet(*files))

    def given(self, rows: pa.Table) -> ir.Table:
        """Rows of this process as an expression."""
        return self._named(self.session.createDataFrame(rows))

    def keep(self, table: ir.Table) -> ir.Table:
        """Compute a table once, for expressions that read it several times."""
        return self._named(self.session.read.parquet(_address(str(self._computed(table)))))

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end of the block what was kept in it."""
        first = next(self.names)
        yield
        for number in range(first, next(self.names)):
            self.session.catalog.dropTempView(f"table_{number}")
            shutil.rmtree(self.scratch / f"table_{number}", ignore_errors=True)

    def parts(self, events: int) -> int:
        """One: Spark divides the work itself, and spills what it cannot hold."""
        return 1

    def rows(self, table: ir.Table, schema: pa.Schema) -> pa.RecordBatchReader:
        """Run an expression and stream its rows, in no order and in exactly these types."""
        files = sorted(map(str, self._computed(table).glob("*.parquet")))
        found = pads.dataset(files, schema=schema, format="parquet").to_batches(batch_size=BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(schema, found)

    def _computed(self, table: ir.Table) -> Path:
        folder = self.scratch / f"table_{next(self.names)}"
        with spark_errors():
            query = self.session.sql(self.backend.compile(table))
            query.write.parquet(_address(str(folder)))
        if not folder.is_dir():
            raise FeatureError(
                f"expected what Spark computed in {folder}, found nothing: AISLE_SPARK_SCRATCH must name a "
                "folder that its workers and this machine share"
            )
        return folder

    def _named(self, frame: Any) -> ir.Table:
        name = f"table_{next(self.names)}"
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)


@contextmanager
def spark_engine(settings: Settings) -> Iterator[SparkEngine]:
    """Open a session that ends, with everything it kept, when the block ends.

    Raises:
        FeatureError: Spark or Java is missing, the cluster cannot be reached, or an expression failed.
    """
    with spark_session(settings) as (session, scratch):
        backend = ibis.pyspark.connect(session)
        backend.compiler = SparkDialect()
        yield SparkEngine(backend=backend, session=session, scratch=scratch, names=itertools.count())


def _address(path: str) -> str:
    """A file as Hadoop names it."""
    if path.startswith("s3://"):
        return path.replace("s3://", "s3a://", 1)
    return path if "://" in path else f"file:{Path(path).absolute()}"


def _spark_schema(schema: pa.Schema) -> Any:
    from ibis.backends.pyspark.datatypes import PySparkSchema

    return PySparkSchema.from_ibis(ibis.Schema.from_pyarrow(schema))
