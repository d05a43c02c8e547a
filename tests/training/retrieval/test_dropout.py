"""Dropout by a hash: how much it drops, that every step draws anew, and that a seed fixes it."""

import numpy as np

from pipelines.training.retrieval.dropout import Dropout
from pipelines.training.tf import Tensor, fix_seeds, tf


def drawn(layer: Dropout, steps: int = 1) -> np.ndarray:
    """[steps, 300, 200] of ones, as compiled training has it."""
    ones = tf.ones([300, 200])

    @tf.function(jit_compile=True)
    def run() -> Tensor:
        return layer(ones, training=True)

    return np.stack([run().numpy() for _ in range(steps)])


def test_a_share_is_dropped_and_the_rest_makes_up_for_it():
    fix_seeds(0)
    values = drawn(Dropout(0.3), 2)
    assert set(np.unique(values).tolist()) == {0.0, np.float32(1 / 0.7)}
    # Six deviations of 60,000 draws: 0.3 +- 0.0112; of 200 in a row, +- 0.194; of 300 in a column, +- 0.159.
    dropped = values == 0
    np.testing.assert_allclose(dropped.mean(axis=(1, 2)), 0.3, atol=0.0112)
    np.testing.assert_allclose(dropped.mean(axis=2), 0.3, atol=0.194)
    np.testing.assert_allclose(dropped.mean(axis=1), 0.3, atol=0.159)
    # Neighbours, and one place in two steps, are dropped together as often as chance has it: 0.09 +- 0.007.
    for one, other in (
        (dropped[:, :, 1:], dropped[:, :, :-1]),
        (dropped[:, 1:], dropped[:, :-1]),
        (dropped[0], dropped[1]),
    ):
        assert abs((one & other).mean() - 0.09) < 0.008


def test_layers_draw_apart_and_a_seed_draws_the_same():
    fix_seeds(1)
    one, other = drawn(Dropout(0.5)), drawn(Dropout(0.5))
    fix_seeds(1)
    again = drawn(Dropout(0.5))
    np.testing.assert_array_equal(one, again)
    assert 0.4 < (one == other).mean() < 0.6


def test_nothing_is_dropped_outside_of_training_or_at_a_share_of_nothing():
    ones = np.ones((4, 5), np.float32)
    np.testing.assert_array_equal(Dropout(0.9)(ones), ones)
    np.testing.assert_array_equal(Dropout(0)(ones, training=True), ones)
