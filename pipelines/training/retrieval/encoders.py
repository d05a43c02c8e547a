"""Both towers of a trained model at work on many items and users, each traced once."""

import numpy as np
import numpy.typing as npt

from pipelines.training.retrieval.members import Towers
from pipelines.training.retrieval.model import QUERY_INPUTS, SequenceRetrieval
from pipelines.training.tensorflow import Tensor, tf
from serving.bundle import Bundle
from serving.ranking import encoder_inputs
from serving.users import UserBatch

ITEMS_AT_ONCE = 4_096
USERS_AT_ONCE = 256


class Encoders:
    """Items and users to vectors, as the model is at the time of the call."""

    def __init__(self, model: SequenceRetrieval | Towers) -> None:
        """Trace nothing yet."""
        self._items = tf.function(model.item, input_signature=[tf.TensorSpec([None], tf.int32)])

        @tf.function(reduce_retracing=True)
        def encode(inputs: dict[str, Tensor]) -> Tensor:
            return model.query(**{name: inputs[name] for name in QUERY_INPUTS})

        self._queries = encode

    def item_vectors(self, n_items: int) -> npt.NDArray[np.float32]:
        """[n, D] vectors of all items."""
        parts = [
            self._items(np.arange(start, min(start + ITEMS_AT_ONCE, n_items), dtype=np.int32)).numpy()
            for start in range(0, n_items, ITEMS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def query_vectors(
        self, vectors: npt.NDArray[np.float32], bundle: Bundle, users: UserBatch
    ) -> npt.NDArray[np.float32]:
        """[B, D] vectors of users, whose histories are of items with these vectors."""
        parts = []
        for start in range(0, len(users), USERS_AT_ONCE):
            some = users.rows(slice(start, start + USERS_AT_ONCE))
            parts.append(self._queries(dict(encoder_inputs(bundle, some, vectors))).numpy())
        return np.concatenate(parts) if parts else np.zeros((0, vectors.shape[1]), np.float32)
