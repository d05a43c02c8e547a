"""The loss of retrieval and its gradients, beside TensorFlow's own of the same formula."""

import numpy as np
import pytest

from pipelines.training.retrieval.sampled_softmax import sampled_softmax
from pipelines.training.tf import tf

N, K, D = 24, 9, 5


def _given(temperature_seed=0):
    random = np.random.default_rng(temperature_seed)

    def units(rows):
        vectors = random.normal(size=(rows, D))
        return tf.constant(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), tf.float32)

    expected = tf.constant(random.uniform(0.01, 3, K), tf.float32)
    own = tf.constant(random.random((N, K)) < 0.2)
    return (units(N), units(N), units(K)), expected, own


def _by_the_formula(queries, targets, negatives, expected, own, temperature):
    positive = tf.reduce_sum(queries * targets, axis=1) / temperature
    negative = queries @ tf.transpose(negatives) / temperature - tf.math.log(expected)
    every = tf.concat([positive[:, None], tf.where(own, -1e9, negative)], axis=1)
    return tf.reduce_mean(tf.reduce_logsumexp(every, axis=1) - positive)


@pytest.mark.parametrize("temperature", [0.03, 0.07, 1.0])
@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_loss_and_slopes_are_those_of_the_formula(temperature, factor):
    vectors, expected, own = _given()
    told = []
    for loss in (sampled_softmax, _by_the_formula):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            value = factor * loss(*vectors, expected, own, temperature)
        told.append([value, *tape.gradient(value, vectors)])
    for mine, theirs in zip(*told, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)


def test_the_farthest_target_at_the_least_temperature_still_teaches():
    queries = tf.constant([[1.0, 0.0]])
    targets, negatives = -queries, -queries
    with tf.GradientTape() as tape:
        tape.watch(targets)
        loss = sampled_softmax(queries, targets, negatives, tf.constant([1.0]), tf.constant([[False]]), 0.03)
    # Target and negative are alike: probability 1/2 each, so log 2 and a gradient of -1/2 / temperature.
    assert float(loss) == pytest.approx(np.log(2), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, targets), [[-0.5 / 0.03, 0.0]], rtol=1e-5)


def test_compiled_no_product_has_the_transposed_matrix_on_its_left():
    """XLA takes up to twice as long for it, and makes it of a transposed product if nothing is in between."""
    vectors, expected, own = _given()

    def gradients(*vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            loss = sampled_softmax(*vectors, expected, own, 0.07)
        return loss, tape.gradient(loss, vectors)

    compiled = tf.function(gradients, jit_compile=True)
    written = compiled.experimental_get_compiler_ir(*vectors)(stage="optimized_hlo")
    products = [line for line in written.splitlines() if " dot(" in line]
    assert any(f"f32[{D},{K}]" in line.split(" dot(")[0] for line in products), products
    assert not any(f"f32[{K},{D}]" in line.split(" dot(")[0] for line in products), products
    for mine, theirs in zip(
        tf.nest.flatten(compiled(*vectors)), tf.nest.flatten(gradients(*vectors)), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)
