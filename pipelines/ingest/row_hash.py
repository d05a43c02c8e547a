"""Fingerprints of rows that stay the same in every process, on every machine and in every version."""

from collections.abc import Sequence

import duckdb
import polars as pl

BETWEEN_FIELDS = "chr(31)"
IN_PLACE_OF_NULL = "chr(30)"


def digest(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """MD5 of the named columns of each row, 32 hexadecimal digits; nulls differ from empty texts."""
    fields = ", ".join(f'coalesce(CAST("{column}" AS VARCHAR), {IN_PLACE_OF_NULL})' for column in columns)
    instants = [name for name in columns if isinstance(rows.schema[name], pl.Datetime)]
    plain = rows.select(columns).with_columns(pl.col(instants).dt.epoch("us"))
    with duckdb.connect() as connection:
        connection.register("plain", plain.to_arrow())
        # DuckDB keeps the order of the rows it scans (`preserve_insertion_order`).
        query = f"SELECT md5(concat_ws({BETWEEN_FIELDS}, {fields})) AS digest FROM plain"  # noqa: S608
        return pl.DataFrame(connection.sql(query).to_arrow_table())["digest"]
