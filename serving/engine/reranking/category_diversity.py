"""Re-ranking rule: limit the items of one category on a page."""

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle

Integers = npt.NDArray[np.int32]


def rank_in_category(bundle: Bundle, items: Integers) -> npt.NDArray[np.int64]:
    """[B, C] how many earlier items of the list share the item's category; 0 without a category."""
    codes = np.where(items >= 0, bundle.catalogue.category_codes[items], -1)
    order = np.argsort(codes, axis=1, kind="stable")
    ordered = np.take_along_axis(codes, order, 1)
    width = np.arange(items.shape[1])
    is_first = np.ones(ordered.shape, bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ranks = width - np.maximum.accumulate(np.where(is_first, width, 0), axis=1)
    result = np.empty(items.shape, np.int64)
    np.put_along_axis(result, order, ranks, 1)
    return np.where(codes >= 0, result, 0)
