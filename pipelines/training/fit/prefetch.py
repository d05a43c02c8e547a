"""Batches for TensorFlow, made by this process while the model trains on the ones before."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from pipelines.training.tf import tf

BUFFERED = 8
"""Batches that are made before they are asked for, at most."""


def prefetched(
    make: Callable[[], Iterable[Mapping[str, npt.NDArray[Any]]]], signature: Mapping[str, Any]
) -> Any:
    """A data set of batches.

    Args:
        make: Gives the batches, from the first one whenever it is called.
        signature: `tf.TensorSpec` of each array of a batch.
    """
    made = tf.data.Dataset.from_generator(make, output_signature=dict(signature))
    # There is nothing to tune, and whoever ends a data set waits for its tuner to wake up: that sleeps twice
    # as long each time, so every part of a training would take up to twice as long as its steps.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(BUFFERED).with_options(options)
