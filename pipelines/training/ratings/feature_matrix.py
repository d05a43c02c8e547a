"""Descriptions of users or items as numbers: a column for each frequent value, and numbers standardised."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.bundle import CATEGORY_SEPARATOR

LEAST_SHARE, MOST_SHARE = 0.01, 0.99
"""Values of fewer or more of the rows say nothing that could be learned."""


def described(table: pa.Table | None, key: str, ids: pa.Array) -> npt.NDArray[np.float64]:
    """[n, columns] what the table says of each of `ids`; no columns where it says nothing.

    Texts and lists of texts give 1 for each frequent value that they hold; numbers give their standard score
    and its square, 0 where they are unknown.
    """
    if table is None:
        return np.zeros((len(ids), 0))
    found = pc.index_in(ids, value_set=table[key].combine_chunks())
    rows = table.take(found)
    columns = []
    for name in sorted(set(table.column_names) - {key}):
        column = rows[name].combine_chunks()
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            columns.append(_standardised(column))
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns.append(_held(_first_levels(column), np.arange(len(ids)), len(ids)))
        elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
            places = pc.list_parent_indices(column).to_numpy().astype(np.int64)
            columns.append(_held(pc.list_flatten(column), places, len(ids)))
    return np.concatenate([np.zeros((len(ids), 0)), *columns], axis=1)


def _first_levels(texts: pa.Array) -> pa.Array:
    return pc.list_element(pc.split_pattern(texts, CATEGORY_SEPARATOR), 0)


def _held(values: pa.Array, rows: npt.NDArray[np.int64], n_rows: int) -> npt.NDArray[np.float64]:
    """[n_rows, frequent values] 1 where the row holds the value."""
    told = pc.is_valid(values)
    encoded = values.filter(told).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    pairs = np.unique(codes * np.int64(n_rows) + rows[told.to_numpy(zero_copy_only=False)])
    codes, rows = np.divmod(pairs, n_rows)
    shares = np.bincount(codes, minlength=len(encoded.dictionary)) / n_rows
    frequent = np.flatnonzero((shares >= LEAST_SHARE) & (shares <= MOST_SHARE))
    column_of = np.full(len(shares), -1, np.int64)
    column_of[frequent] = np.arange(len(frequent))
    kept = column_of[codes] >= 0
    held = np.zeros((n_rows, len(frequent)))
    held[rows[kept], column_of[codes[kept]]] = 1
    return held


def _standardised(numbers: pa.Array) -> npt.NDArray[np.float64]:
    """[n, 2] standard scores and their squares."""
    raw = pc.fill_null(numbers.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    told = np.isfinite(raw)
    mean, spread = (raw[told].mean(), raw[told].std()) if told.any() else (0.0, 0.0)
    scores = np.where(told & (spread > 0), (np.where(told, raw, mean) - mean) / (spread or 1.0), 0.0)
    return np.stack([scores, scores**2], axis=1)
