"""The order of events of one user and instant, which neither ids nor the rows of a file may decide.

In many shops ids are numbered by first appearance, and files are sorted by id, upwards or downwards, as
numbers or as texts. Whoever lets that order decide which of several events of one instant came last tells a
model, or its test, what came later.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

HASH_KEY = "aisle:event-ties"
"""Key of the hash, 16 characters: it makes the order the same in every process and version."""


def tie_keys(*columns: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.uint64]:
    """[n] a number for each row that depends on its own texts alone, and not on how these sort.

    Args:
        columns: Texts `[n]`, of which at least one tells the events of one user and instant apart.
    """
    keys = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = whole.dictionary_encode("encode")
        texts = encoded.dictionary.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
        hashes = pd.util.hash_array(texts.astype(object), hash_key=HASH_KEY, categorize=False)
        keys = (keys ^ hashes[encoded.indices.to_numpy()]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys
