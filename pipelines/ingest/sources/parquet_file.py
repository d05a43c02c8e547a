"""Reading one Parquet file."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import IngestError
from pipelines.ingest.sources.arrow_columns import to_frame

AT_ONCE = 500_000
"""Rows that are held and cleaned at a time."""


def read_parquet(path: Path, shown: str) -> Iterator[pl.DataFrame]:
    """The file's rows in pieces, with every value as it was written; one empty piece when there are no rows.

    Raises:
        IngestError: The file is no Parquet file, is damaged, or holds text that is not UTF-8.
    """
    try:
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            empty = True
            for batch in file.iter_batches(AT_ONCE):
                empty = False
                yield to_frame(pa.Table.from_batches([batch]))
            if empty:
                yield to_frame(file.schema_arrow.empty_table())
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "UTF8" in reason or "UTF-8" in reason:
            raise IngestError(
                f"{shown}: wrong encoding, expected text in UTF-8, received other bytes ({reason}). "
                "Write the file anew with its text in UTF-8."
            ) from error
        raise IngestError(
            f"{shown}: expected a Parquet file, received something that cannot be read as one ({reason}). "
            "Write the file anew, or give it the ending of what it is."
        ) from error
