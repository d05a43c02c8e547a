"""Terms of items: the words of their texts and the values of their attributes, as a TF-IDF matrix."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from serving.bundle import CATEGORY_SEPARATOR

WORDS, PATHS, NAMES = ("title", "description"), ("category",), ("brand",)
"""Columns of text, of paths with levels, and of one name each; `attributes` is a list of values."""

BETWEEN_WORDS = r"[^\p{L}\p{N}]+"


def describing_columns(catalogue: pa.Table) -> list[str]:
    """Columns that tell items apart by more than their id."""
    ids = catalogue.column("item_id").cast(pa.string())
    told = []
    for name in (*WORDS, *PATHS, *NAMES, "attributes"):
        if name not in catalogue.column_names or pa.types.is_null(catalogue.schema.field(name).type):
            continue
        column = catalogue.column(name)
        if name == "attributes":
            some = pc.any(pc.greater(pc.list_value_length(column), 0)).as_py()
        else:
            # An item that was never described has its id for a title.
            some = pc.any(pc.and_kleene(pc.not_equal(column, ids), pc.not_equal(column, ""))).as_py()
        if some:
            told.append(name)
    return told


def term_vectors(catalogue: pa.Table, *, most_common: float = 0.2) -> sp.csr_matrix:
    """[n, terms] TF-IDF of every item, each row of length 1; 0 for items that nothing is known of.

    A term's value is (1 + log(count)) * log(items / items with the term); every column of the catalogue has
    equal say, whatever its number of terms.

    Args:
        catalogue: Any of `title description category brand attributes`.
        most_common: Terms of a larger share of the items count for the length, and then are left out: they
            say little and cost most.
    """
    n_items = catalogue.num_rows
    parts = [_column_vectors(*_terms(catalogue, name), n_items) for name in describing_columns(catalogue)]
    if not parts:
        return sp.csr_matrix((n_items, 1), dtype=np.float32)
    vectors = _normalised(sp.hstack(parts, "csr"))
    shared = vectors.getnnz(axis=0)
    # What only one item has cannot make it like another.
    return sp.csr_matrix(
        vectors[:, (shared > 1) & (shared <= max(2, most_common * n_items))], dtype=np.float32
    )


def _terms(catalogue: pa.Table, name: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """The item of each term of a column, and the term."""
    column = catalogue.column(name).combine_chunks()
    if name == "attributes":
        lists = column
    elif name in WORDS:
        lists = pc.split_pattern_regex(pc.utf8_lower(column.cast(pa.string())), BETWEEN_WORDS)
    elif name in PATHS:
        return _levels(column.cast(pa.string()))
    else:
        lists = pc.split_pattern(column.cast(pa.string()), "\x1f")
    items, terms = pc.list_parent_indices(lists), pc.list_flatten(lists)
    return _told(np.asarray(items, np.int64), terms)


def _levels(paths: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """A term for each level of each path: the levels down to it, so that equal names elsewhere differ."""
    lists = pc.split_pattern(paths, CATEGORY_SEPARATOR)
    deepest = pc.max(pc.list_value_length(lists)).as_py() or 0
    found = []
    for depth in range(1, deepest + 1):
        here = np.flatnonzero(
            pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False) >= depth
        )
        levels = pc.list_slice(lists.take(pa.array(here)), 0, depth)
        found.append((here, pc.binary_join(levels, CATEGORY_SEPARATOR)))
    if not found:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    items = np.concatenate([here for here, _ in found])
    return _told(items, pa.concat_arrays([terms for _, terms in found]))


def _told(items: npt.NDArray[np.int64], terms: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Without the terms that are null or empty."""
    told = pc.fill_null(pc.not_equal(terms, ""), False)
    return items[told.to_numpy(zero_copy_only=False)], terms.filter(told)


def _column_vectors(items: npt.NDArray[np.int64], terms: pa.Array, n_items: int) -> sp.csr_matrix:
    """[n, terms of the column] TF-IDF, each row of length 1."""
    encoded = terms.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    counts = sp.csr_matrix((np.ones(len(codes)), (items, codes)), (n_items, max(len(encoded.dictionary), 1)))
    counts.sum_duplicates()
    frequencies = counts.getnnz(axis=0)
    counts.data = 1 + np.log(counts.data)
    return _normalised(sp.csr_matrix(counts @ sp.diags(np.log(n_items / np.maximum(frequencies, 1)))))


def _normalised(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Each row divided by its length."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix)
