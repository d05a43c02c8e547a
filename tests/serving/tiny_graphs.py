"""Two real LiteRT graphs that one can follow by hand; run as a program of its own, for it needs TensorFlow.

Query encoder: the normalised sum of the vectors of the history's items, of its known events alone.
Ranker: score = retrieval score + 2 * personal source score + 1 * item_knn source score + 0.1 * feature 0
(NaN counts as 0); purchase = sigmoid(score).
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def convert(directory: Path) -> None:
    """Write `query_encoder.tflite` and `ranker.tflite` beside the bundle's other files."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    spec = json.loads((directory / "spec.json").read_text())
    long, short, width = spec["history_length"], spec["history_length_retrieval"], spec["candidates"]
    codes = 1 + len(spec["code_columns"])
    dimensions = np.load(directory / "item_vectors.npy").shape[1]
    weights = tf.constant([{"buy_again": 2.0, "item_knn": 1.0}.get(name, 0.0) for name in spec["sources"]])

    def user(length: int) -> dict:
        return {
            "history_types": tf.TensorSpec([1, length], tf.int32),
            "history_ages_s": tf.TensorSpec([1, length], tf.float32),
            "user_features": tf.TensorSpec([1, len(spec["user_features"])], tf.float32),
            "user_profile": tf.TensorSpec([1, len(spec["profile_features"])], tf.int32),
        }

    def query(history_vectors, history_types, **_):
        known = tf.cast(history_types > 0, tf.float32)
        total = tf.reduce_sum(history_vectors * known[..., None], axis=1)
        return {"query": tf.math.l2_normalize(total, axis=-1)}

    def score(retrieval_scores, source_scores, candidate_features, **_):
        feature = candidate_features[:, :, 0]
        known = tf.where(tf.math.is_nan(feature), tf.zeros_like(feature), feature)
        total = retrieval_scores + tf.reduce_sum(source_scores * weights, axis=-1) + 0.1 * known
        return {"score": total, "purchase": tf.sigmoid(total)}

    candidates = {
        "candidate_codes": tf.TensorSpec([1, width, codes], tf.int32),
        "candidate_features": tf.TensorSpec([1, width, len(spec["item_features"])], tf.float32),
        "retrieval_scores": tf.TensorSpec([1, width], tf.float32),
        "source_scores": tf.TensorSpec([1, width, len(spec["sources"])], tf.float32),
        "source_strengths": tf.TensorSpec([1, width, len(spec["sources"])], tf.float32),
    }
    vectors = {"history_vectors": tf.TensorSpec([1, short, dimensions], tf.float32)}
    history = {"history_codes": tf.TensorSpec([1, long, codes], tf.int32)}
    for name, function, inputs in (
        ("query_encoder", query, {**vectors, **user(short)}),
        ("ranker", score, {**history, **user(long), **candidates}),
    ):
        module = tf.Module()
        module.serve = tf.function(function)
        concrete = module.serve.get_concrete_function(**inputs)
        saved = directory.parent / f"{directory.name}-{name}"
        tf.saved_model.save(module, str(saved), signatures={"serving_default": concrete})
        graph = tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert()
        (directory / f"{name}.tflite").write_bytes(graph)


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
