"""Dropout whose draws cost next to nothing: a hash of place and step.

TensorFlow's own draws took a third of a training step.
"""

from pipelines.training.tf import Tensor, tf

GOLDEN = 0x9E3779B9
MIXED = ((16, 0x21F0AAAD), (15, 0x735A2D97))
"""Shifts and factors of a hash of 32 bits with next to no bias (Wellons, 2018: `lowbias32`)."""


class Dropout(tf.keras.layers.Layer):
    """Sets a share of the activations to 0 and makes up for it in the others, in training only."""

    def __init__(self, share: float) -> None:
        """Drop `share`, in [0, 1), of what comes in; the seed is taken from those that `fix_seeds` fixed."""
        super().__init__()
        self.share = share
        seed = int(tf.random.uniform([], maxval=2**31 - 1, dtype=tf.int32))
        # Kept as a function, since the state of a generator is no weight of the model.
        self._seeds = tf.random.Generator.from_seed(seed).make_seeds

    def call(self, values: Tensor, training: bool = False) -> Tensor:
        """[...] of activations [...]; the shape is known where training is on."""
        if not training or self.share == 0:
            return values
        shape = values.shape.as_list()
        size = values.shape.num_elements()
        first, second = tf.unstack(tf.bitcast(self._seeds(1)[0, 0], tf.uint32))
        bits = tf.bitcast(tf.range(size), tf.uint32) * tf.constant(GOLDEN, tf.uint32) + first
        for shift, factor in MIXED:
            bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32)))
            bits = tf.bitwise.bitwise_xor(bits * tf.constant(factor, tf.uint32), second)
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(15, tf.uint32)))
        kept = tf.reshape(bits >= tf.constant(int(self.share * 2**32), tf.uint32), shape)
        return tf.where(kept, values / (1.0 - self.share), tf.zeros_like(values))
