"""Which files a bundle may hold, and of what form each is."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

MANIFEST = "manifest.json"
SPEC = "spec.json"
ITEMS = "items.parquet"
QUERY_ENCODER = "query_encoder.tflite"
RANKER = "ranker.tflite"
INTENT = "intent.tflite"
INTENT_SPEC = "intent.json"
TEXT_INDEX = "text_index"

ITEM_COLUMNS: dict[str, pa.DataType] = {
    "item_id": pa.string(),
    "title": pa.string(),
    "description": pa.string(),
    "category": pa.string(),
    "brand": pa.string(),
    "price": pa.float64(),
    "image_url": pa.string(),
    "available": pa.bool_(),
    "attributes": pa.list_(pa.string()),
}
"""Columns of `items.parquet`; row i is item index i everywhere in the bundle."""

ALLOWED_SUFFIXES = frozenset({".npy", ".parquet", ".tflite", ".json", ".html", ".png", ".svg"})
TEXT_INDEX_SUFFIXES = frozenset(
    {".json", ".fast", ".fieldnorm", ".idx", ".pos", ".store", ".term", ".temp", ".del"}
)


@dataclass(frozen=True, slots=True)
class ArrayFormat:
    """The form of one `.npy` file."""

    dtype: type[np.generic]
    """Exact element type."""
    dimensions: int
    """1 or 2."""
    of_items: bool = True
    """Whether there is a row for each item; else there is one for each number of an item's vector."""
    optional: bool = False
    """Whether a bundle may lack it; then it is read as of width 0, or as zeros where it has one dimension."""
    may_be_nan: bool = False
    """Whether NaN stands for an unknown value; infinity never may."""
    holds_items: bool = False
    """Whether the values are item indices, -1 = none."""


ARRAYS: dict[str, ArrayFormat] = {
    "item_vectors": ArrayFormat(np.float32, 2),
    "search_vectors": ArrayFormat(np.float32, 2, optional=True),
    "search_directions": ArrayFormat(np.float32, 2, of_items=False, optional=True),
    "item_codes": ArrayFormat(np.int32, 2),
    "item_features": ArrayFormat(np.float32, 2, may_be_nan=True),
    "popularity": ArrayFormat(np.float32, 1),
    "trending": ArrayFormat(np.float32, 1, optional=True),
    "neighbours": ArrayFormat(np.int32, 2, holds_items=True),
    "neighbour_scores": ArrayFormat(np.float32, 2),
    "complements": ArrayFormat(np.int32, 2, holds_items=True),
    "complement_scores": ArrayFormat(np.float32, 2),
    "followers": ArrayFormat(np.int32, 2, holds_items=True),
    "follower_scores": ArrayFormat(np.float32, 2),
    "lookalikes": ArrayFormat(np.int32, 2, holds_items=True),
    "lookalike_scores": ArrayFormat(np.float32, 2),
}
"""Every array of a bundle: `<name>.npy`."""


def is_allowed(path: str) -> bool:
    """Whether a bundle may hold a file of this relative POSIX path."""
    parts = PurePosixPath(path).parts
    suffix = PurePosixPath(path).suffix
    if path == MANIFEST:
        return False
    if len(parts) == 2 and parts[0] == TEXT_INDEX:
        # `.managed.json` has the suffix `.json`; lock files have none of these.
        return suffix in TEXT_INDEX_SUFFIXES
    return len(parts) == 1 and not path.startswith(".") and suffix in ALLOWED_SUFFIXES
