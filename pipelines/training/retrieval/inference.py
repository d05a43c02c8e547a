"""Both towers of a trained model at work on many items and users; that of users traced for a few widths."""

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.retrieval.ensemble import EnsembleTowers
from pipelines.training.retrieval.model import QUERY_INPUTS, SequenceRetrieval
from pipelines.training.tf import Tensor, tf
from serving.bundle import Bundle
from serving.engine import UserBatch, encoder_inputs

ITEM_BATCH_SIZE = 4_096
USER_BATCH_SIZE = 256
LEAST_WIDTH = 4
"""Events for which there is always room."""


class Encoders:
    """Items and users to vectors, as the model is at the time of the call."""

    def __init__(self, model: SequenceRetrieval | EnsembleTowers) -> None:
        """Trace nothing yet."""
        self._items = tf.function(
            model.item, autograph=False, input_signature=[tf.TensorSpec([None], tf.int32)]
        )

        def encode(inputs: dict[str, Tensor]) -> Tensor:
            return model.query(**{name: inputs[name] for name in QUERY_INPUTS})

        # One for each width: the number of users may vary in a trace, that of events may not.
        self._queries_of: defaultdict[int, Any] = defaultdict(
            lambda: tf.function(encode, autograph=False, reduce_retracing=True)
        )

    def item_vectors(self, n_items: int) -> npt.NDArray[np.float32]:
        """[n, D] vectors of all items."""
        parts = [
            self._items(np.arange(start, min(start + ITEM_BATCH_SIZE, n_items), dtype=np.int32)).numpy()
            for start in range(0, n_items, ITEM_BATCH_SIZE)
        ]
        return np.concatenate(parts)

    def query_vectors(
        self, vectors: npt.NDArray[np.float32], bundle: Bundle, users: UserBatch
    ) -> npt.NDArray[np.float32]:
        """[B, D] vectors of users, whose histories are of items with these vectors.

        Users with as much history are encoded together, without the padding that none of them needs.
        """
        counts = (users.history_items >= 0).sum(axis=1)
        order = np.argsort(counts, kind="stable")
        found = np.zeros((len(users), vectors.shape[1]), np.float32)
        for start in range(0, len(order), USER_BATCH_SIZE):
            some = order[start : start + USER_BATCH_SIZE]
            longest = min(int(counts[some[-1]]), bundle.spec.history_length_retrieval)
            width = max(LEAST_WIDTH, 1 << max(longest - 1, 0).bit_length())  # a power of two
            inputs = encoder_inputs(bundle, users.rows(some), vectors, width)
            found[some] = self._queries_of[width](inputs).numpy()
        return found
