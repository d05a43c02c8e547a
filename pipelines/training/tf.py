"""The door to TensorFlow: what has to be chosen before TensorFlow is first imported.

That is legacy Keras, which TFRS 0.7 needs, and an allocator that keeps what a step has freed for the next
one. The usual one hands it back to the system, and each step waits for forty thousand pages to be given anew:
a quarter of its time or more.

Everything in training takes `tf` and `tfrs` from here.

No code of ours branches on tensors, so nothing is left to autograph: what is traced says `autograph=False`,
what Keras traces is `unconverted`. Rewriting all that they call took a fifth of a short training.
"""

import logging
import os
import sys
from typing import Any

from pipelines.errors import TrainingError
from pipelines.runtime import stderr_on_error_only

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise TrainingError(
        "expected pipelines.training.tf, which chooses legacy Keras, to import TensorFlow first, but "
        "something imported it before; train in a fresh process (pipelines.runtime.isolated_process)"
    )
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# It tells of missing GPUs on stderr whatever the level; looking for devices is what tells of them.
with stderr_on_error_only():
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    tf.config.list_physical_devices()
# Its warnings are of graphs traced for several widths, which they are meant to be, and of layers not built.
tf.get_logger().setLevel(logging.ERROR)

__all__ = ["Tensor", "fix_seeds", "tf", "tfrs", "unconverted"]

Tensor = Any
"""A `tf.Tensor`; the library ships no types."""

unconverted = tf.autograph.experimental.do_not_convert
"""Marks a function that Keras traces."""


def fix_seeds(seed: int) -> None:
    """Make weights, shuffles and dropout the same in every run on the same machine."""
    # Compiled by XLA, TensorFlow's older random operations take no seed and draw anew in every run.
    tf.keras.backend.experimental.enable_tf_random_generator()
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed)
