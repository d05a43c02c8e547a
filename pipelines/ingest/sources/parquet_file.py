"""Reading one Parquet file."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import IngestError

AT_ONCE = 500_000
"""Rows that are held and cleaned at a time."""


def read_parquet(path: Path, shown: str) -> Iterator[pl.DataFrame]:
    """The file's rows in pieces, with every value as it was written; one empty piece when there are no rows.

    Raises:
        IngestError: The file is no Parquet file, or is damaged.
    """
    try:
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            empty = True
            for batch in file.iter_batches(AT_ONCE):
                empty = False
                yield _frame(pa.Table.from_batches([batch]))
            if empty:
                yield _frame(file.schema_arrow.empty_table())
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise IngestError(
            f"{shown}: expected a Parquet file, received something that cannot be read as one ({reason}). "
            "Write the file anew, or give it the ending of what it is."
        ) from error


def _frame(table: pa.Table) -> pl.DataFrame:
    """The same columns in polars; a type that it does not know becomes text."""
    names = _distinct(table.column_names)
    try:
        frame = pl.from_arrow(table.rename_columns(names))
        if isinstance(frame, pl.DataFrame):
            return frame
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError):
        pass
    return pl.DataFrame([_series(name, column) for name, column in zip(names, table.columns, strict=True)])


def _series(name: str, column: pa.ChunkedArray) -> pl.Series:
    try:
        series = pl.from_arrow(column)
        if isinstance(series, pl.Series):
            return series.rename(name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError):
        pass
    return pl.Series(
        name, [None if value is None else str(value) for value in column.to_pylist()], dtype=pl.String
    )


def _distinct(names: list[str]) -> list[str]:
    """Names that occur again get a number, so that no column hides another."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
