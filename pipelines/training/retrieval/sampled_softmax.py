"""The retrieval loss: sampled softmax with negatives shared by the whole batch, and its gradients.

The matrix of queries times drawn items is what a step is made of. It is gone over once: cosines have a
highest value, so that none has to be looked for before the exponentials, and all three gradients are products
with these. TensorFlow's own gradients of the same loss go over the matrix eight times.
"""

from typing import Any

from pipelines.training.tf import Tensor, tf


def sampled_softmax(
    queries: Tensor,
    targets: Tensor,
    negatives: Tensor,
    expected: Tensor,
    own: Tensor,
    temperature: float,
) -> Tensor:
    """Mean cross-entropy of each query's target among the items drawn for all (sampled softmax).

    How often an item is expected among the drawn comes off its logit (logQ: Bengio and Senecal, 2008; Yi et
    al., 2019).

    Args:
        queries: [N, D] of length 1.
        targets: [N, D] of length 1: what each query should find.
        negatives: [K, D] of length 1: items drawn for all queries.
        expected: [K] how often each of them is drawn on average.
        own: [N, K] true where a drawn item is the query's own target, and so no negative of it.
        temperature: Divisor of the cosines, .03 or more: the lowest exponential is e^(-2 / temperature).
    """
    highest = 1.0 / temperature

    @tf.custom_gradient
    def loss(queries: Tensor, targets: Tensor, negatives: Tensor) -> tuple[Tensor, Any]:
        positive = tf.reduce_sum(queries * targets, axis=-1) / temperature
        negative = tf.matmul(queries, negatives, transpose_b=True) / temperature
        negative = tf.exp(negative - (highest + tf.math.log(expected))[None, :])
        negative = tf.where(own, 0.0, negative)
        found = tf.exp(positive - highest)
        total = found + tf.reduce_sum(negative, axis=1)

        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            scale = upstream / (temperature * tf.cast(tf.size(total), total.dtype))
            missed = (scale * (found / total - 1.0))[:, None]
            # XLA takes up to twice as long for a product whose left side is the matrix transposed.
            # Without the scale in between, it would make this one into that.
            of_negatives = scale * tf.matmul(queries / total[:, None], negative, transpose_a=True)
            return (
                (scale / total)[:, None] * tf.matmul(negative, negatives) + missed * targets,
                missed * queries,
                tf.transpose(of_negatives),
            )

        return tf.reduce_mean(tf.math.log(total) + highest - positive), gradients

    return loss(queries, targets, negatives)
