"""The peer of training: the two towers of the TFRS tutorial `Basic retrieval`, as it is published.

String look-up and embedding of 32 numbers on either side, the retrieval task with the batch's other items as
negatives, Adagrad at 0.1, and `fit` on a cached data set of batches. Only its metrics during training are
left out: they rank the whole catalogue for every example.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training import Tensor, fix_seeds, tfrs
from pipelines.training.tf import tf

DIMENSIONS = 32
SHUFFLED = 100_000
LEARNING_RATE = 0.1


class TutorialModel(tfrs.Model):  # type: ignore[misc] # Keras ships no types
    """Users and items to vectors, by their ids alone."""

    def __init__(self, user_ids: npt.NDArray[np.str_], item_ids: npt.NDArray[np.str_]) -> None:
        """Towers of the distinct ids."""
        super().__init__()
        self.user, self.item = (
            tf.keras.Sequential(
                [
                    tf.keras.layers.StringLookup(vocabulary=np.unique(ids), mask_token=None),
                    tf.keras.layers.Embedding(len(np.unique(ids)) + 1, DIMENSIONS),
                ]
            )
            for ids in (user_ids, item_ids)
        )
        self.task = tfrs.tasks.Retrieval()

    def compute_loss(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """In-batch softmax of `user_id` and `item_id` [B]."""
        del training
        return self.task(self.user(features["user_id"]), self.item(features["item_id"]))


def examples_per_second(
    user_ids: npt.NDArray[np.str_], item_ids: npt.NDArray[np.str_], batch_size: int
) -> dict[str, Any]:
    """Speed of the second pass over the examples; the first fills the cache and compiles.

    Args:
        user_ids: [n] who did something.
        item_ids: [n] with what.
        batch_size: Examples of a step.

    Returns:
        What `speed_of` tells.
    """
    fix_seeds(0)
    model = TutorialModel(user_ids, item_ids)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(learning_rate=LEARNING_RATE))
    return speed_of(model, {"user_id": user_ids, "item_id": item_ids}, batch_size)


def speed_of(model: Any, features: Mapping[str, npt.NDArray[np.str_]], batch_size: int) -> dict[str, Any]:
    """Speed of a compiled model's second pass over cached batches of the features, n rows each.

    Returns:
        `batch_size`, `examples_per_second`, `examples_per_cpu_second`.
    """
    n_examples = len(next(iter(features.values())))
    examples = tf.data.Dataset.from_tensor_slices(dict(features))
    cached = examples.shuffle(SHUFFLED, reshuffle_each_iteration=False).batch(batch_size).cache()
    model.fit(cached, epochs=1, verbose=0)
    started, started_cpu = time.perf_counter(), time.process_time()
    model.fit(cached, epochs=1, verbose=0)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    return {
        "batch_size": batch_size,
        "examples_per_second": n_examples / seconds,
        "examples_per_cpu_second": n_examples / cpu_seconds,
    }
