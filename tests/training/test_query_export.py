"""The exported query encoder answers as the trained one, whichever way it learns of a history."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.training import litert
from pipelines.training.config import Encoder
from pipelines.training.retrieval import export
from pipelines.training.retrieval.export import user_inputs
from pipelines.training.retrieval.model import QUERY_INPUTS
from pipelines.training.tensorflow import tf
from tests.training.test_sequence_model import CONFIG, small_model

SPEC = SimpleNamespace(user_features=("a", "b"), profile_features=("c", "d"))
LENGTH = CONFIG.history_length


@pytest.mark.parametrize("encoder", ["attention", "convolution", "mingru", "gru"])
def test_the_flatbuffer_answers_as_the_model(encoder: Encoder, tmp_path: Path):
    model = small_model(encoder=encoder)
    rng = np.random.default_rng(0)
    known = np.arange(LENGTH) < np.array([[LENGTH], [5], [1], [0]])
    inputs = {
        "history_vectors": np.where(known[..., None], rng.normal(size=(4, LENGTH, 16)), 0).astype(np.float32),
        "history_types": np.where(known, rng.integers(1, 3, (4, LENGTH)), 0).astype(np.int32),
        "history_ages_s": np.where(known, rng.integers(1, 900_000, (4, LENGTH)).cumsum(1), 0).astype(
            np.float32
        ),
        "user_features": np.array([[1, 5], [np.nan, 2], [3, np.nan], [np.nan, np.nan]], np.float32),
        "user_profile": np.array([[1, 2], [2, 0], [0, 1], [0, 0]], np.int32),
    }
    specs = {"history_vectors": tf.TensorSpec([1, LENGTH, 16], tf.float32), **user_inputs(SPEC, LENGTH)}

    def encode(**given: object) -> dict[str, object]:
        return {"query": model.query(**{name: given[name] for name in QUERY_INPUTS})}

    path = tmp_path / "query.tflite"
    litert.convert(encode, [model.query], specs, "none", path)
    received = litert.run(path, inputs)["query"]
    np.testing.assert_allclose(received, encode(**inputs)["query"], atol=1e-5)
    assert np.abs(received[0] - received[1]).max() > 0.01


@pytest.mark.parametrize("scores_at_once", [1, 60, 150, 10_000])
def test_encoders_are_compared_a_few_users_at_a_time_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch, scores_at_once: int
):
    monkeypatch.setattr(export, "SCORES_AT_ONCE", scores_at_once)
    items = np.eye(30, dtype=np.float32)
    expected = np.arange(30, dtype=np.float32) + np.zeros((5, 1), np.float32)
    received = expected.copy()
    # Nearest are the last ten; the first two users' lowest three of them come last now.
    received[:2, 20:23] = -1
    assert export._overlap(expected, received, items) == pytest.approx((2 * 0.7 + 3) / 5)
    assert export._overlap(expected[:0], received[:0], items) == 0
