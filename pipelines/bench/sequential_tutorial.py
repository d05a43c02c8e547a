"""The peer of the sequence model: the TFRS tutorial on retrieval by a sequential model, as it is published.

Every example is a row of the last items, padded in front, with the item that came next. String look-up and
embedding on either side, a GRU over the row, the retrieval task with the batch's other items as negatives,
Adagrad at 0.1, and `fit` on a cached data set of batches. Only its metrics are left out: they rank the whole
catalogue.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.bench.tutorial import LEARNING_RATE, speed_of
from pipelines.training import Tensor, fix_seeds, tfrs
from pipelines.training.tf import tf

PADDING = ""


class SequentialTutorialModel(tfrs.Model):  # type: ignore[misc] # Keras ships no types
    """Rows of items, and items, to vectors of one length."""

    def __init__(self, item_ids: npt.NDArray[np.str_], dimensions: int) -> None:
        """Towers of the distinct ids."""
        super().__init__()
        known = np.unique(item_ids)

        def embedded() -> list[Any]:
            return [
                tf.keras.layers.StringLookup(vocabulary=known, mask_token=None),
                tf.keras.layers.Embedding(len(known) + 1, dimensions),
            ]

        self.query = tf.keras.Sequential([*embedded(), tf.keras.layers.GRU(dimensions)])
        self.candidate = tf.keras.Sequential(embedded())
        self.task = tfrs.tasks.Retrieval()

    def compute_loss(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """In-batch softmax of `context` [B, L] and `label` [B]."""
        del training
        return self.task(self.query(features["context"]), self.candidate(features["label"]))


def contexts(users: npt.NDArray[np.integer], length: int) -> npt.NDArray[np.int64]:
    """[E, L] rows of the last events up to each, oldest first, -1 in front of a user's first one.

    Args:
        users: [E] whose events they are, each user's together and in order of time.
        length: L.
    """
    rows = np.arange(len(users))[:, None] + np.arange(1 - length, 1)
    return np.where((rows >= 0) & (users[np.maximum(rows, 0)] == users[:, None]), rows, -1)


def examples_per_second(
    rows: npt.NDArray[np.str_], labels: npt.NDArray[np.str_], dimensions: int, batch_size: int
) -> dict[str, Any]:
    """Speed of the second pass over the examples; the first fills the cache and compiles.

    Args:
        rows: [n, L] ids of the last items, `PADDING` in front.
        labels: [n] the item that came next.
        dimensions: Length of the vectors, and width of the GRU.
        batch_size: Examples of a step.

    Returns:
        What `pipelines.bench.tutorial.speed_of` tells.
    """
    fix_seeds(0)
    model = SequentialTutorialModel(np.append(np.unique(rows), np.unique(labels)), dimensions)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(learning_rate=LEARNING_RATE))
    return speed_of(model, {"context": rows, "label": labels}, batch_size)
