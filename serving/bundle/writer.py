"""Writing the parts of a bundle under construction, each checked before it is on disk."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.bundle.layout import ARRAYS, ITEM_COLUMNS, ITEMS
from serving.errors import BundleError

_REQUIRED = ("item_id", "title")
UNNAMED = "Unnamed item"
"""Title of an item that is in no catalogue, where a reason or a page must call it something."""

_DEFAULTS: dict[str, object] = {"available": True}


def write_array(directory: Path, name: str, array: npt.NDArray[np.generic]) -> None:
    """Write `<name>.npy` in the bundle's exact form; wider numbers are narrowed.

    Raises:
        BundleError: the name is unknown, or the array is not of that array's form.
    """
    expected = ARRAYS.get(name)
    if expected is None:
        raise BundleError(f"{name}.npy: expected one of {sorted(ARRAYS)}.")
    if array.ndim != expected.dimensions or array.dtype.kind not in "fiu":
        raise BundleError(
            f"{name}.npy: expected numbers in {expected.dimensions} dimensions, received "
            f"{array.dtype} of shape {array.shape}."
        )
    narrow = np.ascontiguousarray(array, dtype=expected.dtype)
    check_values(name, narrow)
    np.save(directory / f"{name}.npy", narrow, allow_pickle=False)


def check_values(name: str, array: npt.NDArray[np.generic]) -> None:
    """Refuse values that the array called `name` may not hold.

    Raises:
        BundleError: infinity, NaN where a value must be known, or a negative code.
    """
    form = ARRAYS[name]
    if form.dtype is np.float32:
        bad = np.isinf(array) if form.may_be_nan else ~np.isfinite(array)
        if bad.any():
            raise BundleError(f"{name}.npy: expected finite numbers, received {int(bad.sum())} that are not.")
    elif array.size:
        least = -1 if form.holds_items else 0
        highest = len(array) - 1 if form.holds_items else np.iinfo(np.int32).max
        low, high = int(array.min()), int(array.max())
        if low < least or high > highest:
            raise BundleError(
                f"{name}.npy: expected values from {least} to {highest}, received {low} to {high}."
            )


def write_items(directory: Path, items: pa.Table) -> None:
    """Write `items.parquet`; optional columns that are missing are filled with null.

    An item without a title is known from events alone. Where others have titles, it is not in the catalogue,
    and is not offered; in a shop without a catalogue, all items are called by their ids.

    Args:
        directory: The bundle under construction.
        items: The catalogue, one row per item; columns beyond the contract are left out.

    Raises:
        BundleError: `item_id` or `title` is missing, null or not unique.
    """
    missing = [name for name in _REQUIRED if name not in items.column_names]
    if missing:
        raise BundleError(f"{ITEMS}: expected the columns {_REQUIRED}, received none called {missing}.")
    columns = {}
    for name, kind in ITEM_COLUMNS.items():
        if name in items.column_names:
            column = items.column(name).cast(kind)
        else:
            column = pa.chunked_array([pa.nulls(items.num_rows, kind)])
        if name in _DEFAULTS:
            column = pc.fill_null(column, _DEFAULTS[name])
        columns[name] = column
    ids = columns["item_id"]
    if ids.null_count or pc.count_distinct(ids).as_py() != items.num_rows:
        raise BundleError(
            f"{ITEMS}: expected one row per item_id, received {items.num_rows} rows with "
            f"{pc.count_distinct(ids).as_py()} ids and {ids.null_count} nulls."
        )
    unnamed = pc.is_null(columns["title"])
    if pc.all(unnamed).as_py():
        columns["title"] = ids
    else:
        columns["title"] = pc.fill_null(columns["title"], UNNAMED)
        columns["available"] = pc.and_(columns["available"], pc.invert(unnamed))
    table = pa.table(columns)
    pq.write_table(table.combine_chunks(), directory / ITEMS, compression="zstd")
