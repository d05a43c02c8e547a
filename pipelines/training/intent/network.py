"""The intent network: numbers in bins, the session's events through convolutions, one head per question."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.tf import Tensor, tf

KERNEL_SIZE = 4
"""Events under each filter of the convolutions over the session."""

SHARE_FLOOR = 0.01
"""Added to shares before their logarithm, so that a category never seen is improbable, not impossible."""


class PiecewiseLinear(tf.keras.layers.Layer):
    """Numbers `[B, F]` as how far each of their bins is filled `[B, bins]`.

    Piecewise linear encoding: a small network learns thresholds from it as well as trees do.
    Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning" (2022).
    """

    def __init__(self, values: npt.NDArray[np.float32], bins: int) -> None:
        """Bins between the quantiles of training values `[rows, F]`, at most `bins` for each number."""
        super().__init__(name="pieces")
        edges = [np.unique(np.quantile(column, np.linspace(0, 1, bins + 1))) for column in values.T]
        lows = [edge[:-1] for edge in edges]
        self.columns = np.repeat(np.arange(len(edges)), [len(low) for low in lows]).astype(np.int32)
        self.lows = tf.constant(np.concatenate(lows), tf.float32)
        self.widths = tf.constant(np.concatenate([np.diff(edge) for edge in edges]), tf.float32)

    def call(self, numbers: Tensor) -> Tensor:
        """[B, bins] of [B, F], each from 0 (below the bin) to 1 (above it)."""
        spread = tf.gather(numbers, self.columns, axis=1)
        return tf.clip_by_value((spread - self.lows) / self.widths, 0.0, 1.0)


class IntentNetwork(tf.keras.Model):
    """Logits of a purchase, of the next step's category, and of its price band."""

    def __init__(
        self,
        numbers: npt.NDArray[np.float32],
        sizes: tuple[int, int],
        *,
        bins: int,
        units: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__(name="intent")
        self.pieces = PiecewiseLinear(numbers, bins)
        self.session = [
            tf.keras.layers.Conv1D(
                units, KERNEL_SIZE, strides=2, padding="same", activation="gelu", name=name
            )
            for name in ("session_near", "session_far")
        ]
        self.drops = [tf.keras.layers.Dropout(dropout) for _ in range(2)]
        penalty = tf.keras.regularizers.l2(1e-4)
        self.wide = tf.keras.layers.Dense(hidden, "gelu", kernel_regularizer=penalty, name="wide")
        self.narrow = tf.keras.layers.Dense(hidden // 2, "gelu", name="narrow")
        self.purchase = tf.keras.layers.Dense(1, name="purchase")
        self.sizes = sizes
        self.groups = [
            tf.keras.layers.Dense(size, name=name) if size else None
            for name, size in zip(("categories", "price_bands"), sizes, strict=True)
        ]

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Logits: `purchase` [B, 1], and `categories` and `price_bands` where the shop has such groups."""
        steps = inputs["sequence"]
        for layer in self.session:
            steps = layer(steps)
        session = tf.reshape(steps, [-1, steps.shape[1] * steps.shape[2]])
        state = tf.concat([self.pieces(inputs["numbers"]), session], axis=1)
        state = self.drops[0](state, training=training)
        state = self.narrow(self.drops[1](self.wide(state), training=training))
        logits = {"purchase": self.purchase(state)}
        first = 0
        for name, size, head in zip(("categories", "price_bands"), self.sizes, self.groups, strict=True):
            if head is not None:
                own = tf.math.log(inputs["shares"][:, :, first : first + size] + SHARE_FLOOR)
                flat = tf.reshape(own, [-1, 2 * size])
                logits[name] = own[:, 0] + own[:, 1] + head(tf.concat([flat, state], axis=1))
            first += size
        return logits

    def train_step(self, data: tuple[dict[str, Tensor], dict[str, Tensor]]) -> dict[str, Tensor]:
        """One step on the sum of the heads' cross-entropies; unknown groups weigh nothing."""
        inputs, labels = data
        with tf.GradientTape() as tape:
            logits = self(inputs, training=True)
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels["purchase"][:, None], logits["purchase"])
            )
            for name in ("categories", "price_bands"):
                if name in logits:
                    loss += _known_cross_entropy(labels[name], logits[name])
            loss += sum(self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"total_loss": loss}


def _known_cross_entropy(codes: Tensor, logits: Tensor) -> Any:
    """Mean cross-entropy over the rows whose 1-based code is known; 0 where none is."""
    known = tf.cast(codes > 0, tf.float32)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(codes - 1, 0), logits)
    return tf.reduce_sum(each * known) / tf.maximum(tf.reduce_sum(known), 1.0)
