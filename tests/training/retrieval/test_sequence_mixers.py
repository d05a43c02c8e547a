"""The states of a gated recurrence, found all at once, are those of one step after the other."""

import numpy as np
import pytest

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.sequence_mixers import MinGru


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_the_states_of_two_histories_in_a_row_are_those_of_a_loop(length: int):
    rng = np.random.default_rng(0)
    layer = MinGru(RetrievalConfig(embedding_dim=8), 0)
    events = rng.normal(size=(2, length, 8)).astype(np.float32)
    # The second history of the first row begins in its middle; the second row is one history.
    positions = np.stack([np.arange(length), np.arange(length)])
    positions[0, length // 2 :] -= length // 2
    received = layer(events, positions.astype(np.int32), None).numpy()

    gates, proposed, told = np.split(events @ layer.projected.kernel.numpy(), 3, axis=-1)
    states = np.zeros_like(gates)
    for row, place in np.ndindex(2, length):
        before = states[row, place - 1] if positions[row, place] > 0 else 0.0
        update = sigmoid(gates[row, place])
        states[row, place] = (1 - update) * before + update * proposed[row, place]
    expected = (states * sigmoid(told)) @ layer.joined.kernel.numpy()
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert length == 1 or np.abs(states[1, -1]).max() > 0
