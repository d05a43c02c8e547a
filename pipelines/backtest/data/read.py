"""Reading one Parquet file of a backtest: checked as a whole, and one error that says what to do."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.backtest.data.schema import LARGEST_RATING, READERS, Column
from pipelines.errors import BacktestError

SHOWN = 5


def read_file(path: Path, columns: Sequence[Column], *, with_others: bool = False) -> pa.Table:
    """The file's known columns, in one type each; others are passed over, or kept as they are.

    Raises:
        BacktestError: The file is missing, unreadable, without rows, lacks a column, or holds values of
            another type, nulls or ratings where there must be none.
    """
    needed = [column.name for column in columns if column.required]
    if not path.is_file():
        raise BacktestError(
            f"{path}: expected a Parquet file with the columns {', '.join(needed)}, received no such file; "
            "put it there, or name the folder that holds it"
        )
    try:
        found = pq.read_schema(path).names
        known = [column for column in columns if column.name in found]
        table = pq.read_table(path, columns=None if with_others else [column.name for column in known])
    except (pa.ArrowException, OSError) as error:
        raise BacktestError(
            f"{path}: expected a Parquet file, received something else ({error}); write it anew, for example "
            "with pyarrow or pandas"
        ) from error
    if missing := [name for name in needed if name not in found]:
        raise BacktestError(
            f"{path}: expected the columns {', '.join(needed)}, received {', '.join(found) or 'none'}; "
            f"add or rename {', '.join(missing)}"
        )
    if table.num_rows == 0:
        raise BacktestError(f"{path}: expected at least one row, received none; write the data into it")
    read = dict(zip(table.column_names, table.columns, strict=True))
    read |= {column.name: _read(path, column, table.column(column.name)) for column in known}
    return pa.table(read).combine_chunks()


def _read(path: Path, column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    converted = READERS[column.kind](values)
    if converted is None:
        raise BacktestError(
            f"{path}: expected {column.kind} in column {column.name}, received {values.type}; "
            "convert the column before writing the file"
        )
    if column.filled and converted.null_count:
        raise BacktestError(
            f"{path}: expected a value in every row of column {column.name}, received {converted.null_count} "
            f"nulls, first in row {_first(pc.is_null(converted))}; leave those rows out or fill them"
        )
    if column.kind == "ratings":
        _refuse_ratings_outside(path, column, converted)
    return converted


def _refuse_ratings_outside(path: Path, column: Column, ratings: pa.ChunkedArray) -> None:
    numbers = ratings.to_numpy()
    outside = ~np.isnan(numbers) & ~((numbers >= 0) & (numbers <= LARGEST_RATING))
    if outside.any():
        raise BacktestError(
            f"{path}: expected values from 0 to {LARGEST_RATING:g} in column {column.name}, received "
            f"{', '.join(f'{value:g}' for value in numbers[outside][:SHOWN])} and so on in "
            f"{int(outside.sum())} rows; leave them out or write nulls"
        )


def refuse_repeated(path: Path, ids: pa.ChunkedArray, name: str) -> None:
    """Raise `BacktestError` where an id stands in two rows."""
    counts = pc.value_counts(ids.combine_chunks())
    often = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(often):
        raise BacktestError(
            f"{path}: expected one row for each {name}, received {len(often)} that come several times, such "
            f"as {', '.join(often.field('values')[:SHOWN].to_pylist())}; keep the newest row of each"
        )


def _first(mask: pa.ChunkedArray) -> int:
    return int(np.flatnonzero(mask.to_numpy())[0])
