"""The answers of a test: which items each asker really took, by which kinds of events."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.protocols.split import TestAnswers
from pipelines.evaluation import GroundTruth, positions


def gather_answers(
    askers: pa.Array, items: pa.Array, types: pa.Array, requests: NDArray[np.int64], item_ids: pa.Array
) -> TestAnswers:
    """The distinct items of each asker out of F events.

    Args:
        askers: [F] who; each one becomes a row, in ascending order.
        items: [F] ids of what they took; those outside the catalogue count as missed.
        types: [F] event types.
        requests: [F] which request of the test stage answers the asker; equal for all events of one.
        item_ids: Of the catalogue.
    """
    names = pc.unique(askers).sort()
    rows = positions(askers, names)
    columns = _with_numbers_beyond(positions(items, item_ids), items, len(item_ids))
    stride = max(len(item_ids), int(columns.max(initial=-1)) + 1, 1)
    pairs, inverse = np.unique(rows * stride + columns, return_inverse=True)
    true_rows = pairs // stride
    indptr = np.concatenate(([0], np.cumsum(np.bincount(true_rows, minlength=len(names)))))
    request_of = np.empty(len(names), np.int64)
    request_of[rows] = requests
    codes = types.dictionary_encode()
    kinds = np.zeros((len(codes.dictionary), len(pairs)), bool)
    kinds[codes.indices.to_numpy(zero_copy_only=False), inverse] = True
    return TestAnswers(
        truth=GroundTruth(indptr.astype(np.int64), (pairs % stride).astype(np.int32), names, len(item_ids)),
        requests=request_of,
        types=dict(sorted(zip(codes.dictionary.to_pylist(), kinds, strict=True))),
    )


def _with_numbers_beyond(columns: NDArray[np.int64], items: pa.Array, n_items: int) -> NDArray[np.int64]:
    """Indices in which items outside the catalogue have numbers of their own from `n_items` on."""
    outside = columns < 0
    if not outside.any():
        return columns
    codes = items.filter(pa.array(outside)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    columns = columns.copy()
    columns[outside] = n_items + codes
    return columns
