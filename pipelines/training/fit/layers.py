"""Layers that both models share: users and their features as numbers that a network can take."""

import numpy as np
import numpy.typing as npt

from pipelines.training.tf import Tensor, tf

CLIP = 4.0
"""Standard deviations beyond which a value says no more."""


class Standardize(tf.keras.layers.Layer):
    """Raw values with NaN for unknown `[..., F]` to bounded numbers: values, then indicators of unknown ones.

    Values are squeezed by sign(x) log(1 + |x|), since counts, prices and ages are long-tailed, and brought to
    mean 0 and deviation 1 as seen by `fit`. An unknown value becomes 0. A value that `fit` never saw vary,
    and an indicator that it never saw change, are left out.
    """

    def __init__(
        self,
        mean: npt.NDArray[np.float32],
        deviation: npt.NDArray[np.float32],
        varies: npt.NDArray[np.intp],
        sometimes_unknown: npt.NDArray[np.intp],
        name: str,
    ) -> None:
        """Keep the statistics of the F columns, and which columns to give on, as values and as indicators."""
        super().__init__(name=name)
        self.mean, self.deviation = tf.constant(mean), tf.constant(deviation)
        self.varies, self.sometimes_unknown = varies.astype(np.int32), sometimes_unknown.astype(np.int32)

    @classmethod
    def fit(cls, values: npt.NDArray[np.float32], name: str) -> "Standardize":
        """The layer for values `[rows, F]`."""
        known = np.isfinite(values)
        squeezed = np.where(known, np.sign(values) * np.log1p(np.abs(values)), 0).astype(np.float64)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = squeezed.sum(axis=0) / counts
        deviation = np.sqrt((np.where(known, squeezed - mean, 0) ** 2).sum(axis=0) / counts)
        varies = deviation > 1e-6
        return cls(
            mean.astype(np.float32),
            np.where(varies, deviation, 1.0).astype(np.float32),
            np.flatnonzero(varies),
            np.flatnonzero(known.any(axis=0) & ~known.all(axis=0)),
            name,
        )

    def call(self, values: Tensor) -> Tensor:
        """[..., values + indicators] of [..., F]."""
        unknown = tf.math.is_nan(values)
        known = tf.where(unknown, tf.zeros_like(values), values)
        squeezed = tf.sign(known) * tf.math.log(1.0 + tf.abs(known))
        scaled = tf.clip_by_value((squeezed - self.mean) / self.deviation, -CLIP, CLIP)
        missing = tf.cast(unknown, tf.float32)
        shown = scaled * (1.0 - missing)
        return tf.concat(
            [tf.gather(shown, self.varies, axis=-1), tf.gather(missing, self.sometimes_unknown, axis=-1)],
            axis=-1,
        )


class Profile(tf.keras.layers.Layer):
    """Codes of categorical user features `[..., P]` to their embeddings side by side `[..., P * width]`."""

    def __init__(self, sizes: list[int], width: int, name: str) -> None:
        super().__init__(name=name)
        self.tables = [
            tf.keras.layers.Embedding(size + 1, width, name=f"profile_{place}")
            for place, size in enumerate(sizes)
        ]

    def call(self, codes: Tensor) -> Tensor:
        """[..., P * width] of [..., P]."""
        return tf.concat([table(codes[..., place]) for place, table in enumerate(self.tables)], axis=-1)
