"""States of a linear recurrence, and their gradients, are those of one step after the other."""

import numpy as np
import pytest

from pipelines.training.retrieval.linear_recurrence import RUN, recurrence
from pipelines.training.tf import tf


def test_states_by_hand():
    kept = tf.constant([0.5, 0.5, 0.0, 2.0, 1.0])[None, :, None]
    given = tf.constant([4.0, 1.0, 3.0, 1.0, -2.0])[None, :, None]
    assert recurrence(kept, given).numpy().ravel().tolist() == [4.0, 3.0, 3.0, 7.0, 5.0]


@pytest.mark.parametrize("length", [1, RUN - 1, RUN, RUN + 1, 3 * RUN, 64])
@pytest.mark.parametrize("compiled", [False, True])
def test_states_and_slopes_are_those_of_a_loop(length: int, compiled: bool):
    rng = np.random.default_rng(length)
    kept, given, weights = (tf.constant(rng.normal(size=(2, length, 3)), tf.float32) for _ in range(3))

    def loop(kept: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        states = [given[:, 0]]
        for place in range(1, length):
            states.append(kept[:, place] * states[-1] + given[:, place])
        return tf.stack(states, axis=1)

    def told(of: object) -> list[np.ndarray]:
        @tf.function(jit_compile=compiled)
        def run(kept: tf.Tensor, given: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch([kept, given])
                states = of(kept, given)
                total = tf.reduce_sum(states * weights)
            gradients = tape.gradient(total, [kept, given], unconnected_gradients="zero")
            return [states, *gradients]

        return [values.numpy() for values in run(kept, given)]

    # What is kept at the first step is kept of nothing.
    for received, expected in zip(told(recurrence), told(loop), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
