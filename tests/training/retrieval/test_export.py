"""The exported query encoder answers as the trained one, whichever way it learns of a history."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.training.config import Encoder
from pipelines.training.fit import litert_export
from pipelines.training.retrieval import export
from pipelines.training.retrieval.export import user_inputs
from pipelines.training.retrieval.model import QUERY_INPUTS
from pipelines.training.tf import tf
from serving.bundle import Bundle
from serving.bundle.layout import QUERY_ENCODER
from serving.engine.litert import SIGNATURE, signatures_of
from serving.engine.ranking import UP_TO, encoder_inputs
from serving.engine.ranking import Encoder as ServingEncoder
from serving.engine.user_batch import user_batch
from tests.serving.tiny_bundle import NOW, history, write_tiny_bundle
from tests.training.retrieval.test_model import CONFIG, small_model

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
    litert_export.convert(encode, [model.query], specs, "none", path)
    received = litert_export.run(path, inputs)["query"]
    np.testing.assert_allclose(received, encode(**inputs)["query"], atol=1e-5)
    assert np.abs(received[0] - received[1]).max() > 0.01


@pytest.mark.parametrize("quantization", ["dynamic-int8", "none"])
def test_short_histories_are_encoded_by_a_graph_of_their_own_to_the_same_query(
    quantization: str, tmp_path: Path
):
    directory = write_tiny_bundle(tmp_path / "bundle")
    bundle = Bundle.open(directory)
    longest, width = bundle.spec.history_length_retrieval, bundle.item_vectors.shape[1]
    place = tf.keras.layers.Dense(width)
    place(tf.zeros([1, width]))

    def encode(history_vectors: tf.Tensor, **others: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.cast(others["history_types"] > 0, tf.float32)[..., None]
        return {"query": tf.reduce_sum(place(history_vectors) * known, axis=1)}

    def inputs_of(length: int) -> dict[str, tf.TensorSpec]:
        vectors = tf.TensorSpec([1, length, width], tf.float32)
        return {"history_vectors": vectors, **user_inputs(bundle.spec, length)}

    path, whole = directory / QUERY_ENCODER, tmp_path / "whole.tflite"
    others = {f"{UP_TO}{length}": inputs_of(length) for length in (1, 2)}
    litert_export.convert(encode, [place], inputs_of(longest), quantization, path, others)
    litert_export.convert(encode, [place], inputs_of(longest), quantization, whole)
    assert set(signatures_of(path)) == {SIGNATURE, "up_to_1", "up_to_2"}
    rows = [
        history(*((item, "purchase", age + 1) for age, item in enumerate(items)))
        for items in (["banana"], ["gone", "bread"], ["bread", "gone", "butter"], [], ["bread"] * 6)
    ]
    users = user_batch(bundle, rows, [NOW] * len(rows))
    encoder = ServingEncoder(Bundle.open(directory))
    asked = []
    for length, graph in encoder._graphs.items():
        run = graph.run
        graph.run = lambda inputs, run=run, length=length: (
            asked.append((length, len(inputs["history_types"]), inputs["history_types"].shape[1]))
            or run(inputs)
        )
    received = encoder.encode(users)
    # Nobody and the two of one known event, the one of two, the one of more than there is room for.
    assert asked == [(1, 3, 1), (2, 1, 2), (longest, 1, longest)]
    expected = litert_export.run(whole, encoder_inputs(bundle, users))["query"]
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert encoder.encode(users.rows(slice(0))).shape == (0, width)


@pytest.mark.parametrize("scores_at_once", [1, 60, 150, 10_000])
def test_encoders_are_compared_a_few_users_at_a_time_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch, scores_at_once: int
):
    monkeypatch.setattr(export, "SCORE_BATCH_SIZE", scores_at_once)
    items = np.eye(30, dtype=np.float32)
    expected = np.arange(30, dtype=np.float32) + np.zeros((5, 1), np.float32)
    received = expected.copy()
    # Nearest are the last ten; the first two users' lowest three of them come last now.
    received[:2, 20:23] = -1
    assert export._overlap(expected, received, items) == pytest.approx((2 * 0.7 + 3) / 5)
    assert export._overlap(expected[:0], received[:0], items) == 0
