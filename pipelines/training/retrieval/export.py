"""Item vectors and the query encoder, written into the bundle."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.data import VALIDATION, TrainingData
from pipelines.training.fit import Parity, litert_export
from pipelines.training.retrieval.inference import Encoders
from pipelines.training.retrieval.model import QUERY_INPUTS
from pipelines.training.retrieval.search_projection import write_search
from pipelines.training.retrieval.train import TrainedRetrieval
from pipelines.training.tf import Tensor, tf
from serving.bundle import QUERY_ENCODER, Bundle, Spec, write_array
from serving.engine import UP_TO, Encoder

Floats = npt.NDArray[np.float32]

LEAST_OVERLAP = 0.97
"""Share of the nearest ten items that compression may not go below."""

COMPARED_USERS = 200

SHORT_HISTORIES = (8, 16)
"""Events of the encoder's further signatures: most users have few, and what pads them costs as much."""

SCORE_BATCH_SIZE = 8_000_000
"""Of users with items: fewer users are compared at once where there are very many items."""


def user_inputs(spec: Spec, length: int) -> dict[str, Any]:
    """`tf.TensorSpec` of the inputs about the user, for a history of this length."""
    return {
        "history_types": tf.TensorSpec([1, length], tf.int32),
        "history_ages_s": tf.TensorSpec([1, length], tf.float32),
        "user_features": tf.TensorSpec([1, len(spec.user_features)], tf.float32),
        "user_profile": tf.TensorSpec([1, len(spec.profile_features)], tf.int32),
    }


def export(trained: TrainedRetrieval, material: TrainingData) -> Parity:
    """Write item vectors and the flatbuffer; compressed where the nearest items stay the same.

    Returns:
        How close the written flatbuffer is to the trained encoder on validation requests.
    """
    encoders = Encoders(trained.model)
    vectors = encoders.item_vectors(Bundle.open(material.workdir).n_items)
    write_array(material.workdir, "item_vectors", vectors)
    bundle = Bundle.open(material.workdir)
    users = material.requests(VALIDATION).users
    users = users.rows(slice(0, COMPARED_USERS))
    expected = encoders.query_vectors(vectors, bundle, users)
    write_search(bundle, expected)

    def encode(**given: Tensor) -> dict[str, Tensor]:
        return {"query": trained.model.query(**{name: given[name] for name in QUERY_INPUTS})}

    path, length = material.workdir / QUERY_ENCODER, bundle.spec.history_length_retrieval

    def inputs_of(length: int) -> dict[str, Any]:
        vectors_of = tf.TensorSpec([1, length, vectors.shape[1]], tf.float32)
        return {"history_vectors": vectors_of, **user_inputs(bundle.spec, length)}

    shorter = {f"{UP_TO}{few}": inputs_of(few) for few in SHORT_HISTORIES if few < length}
    for quantization in dict.fromkeys([material.config.quantization, "none"]):
        litert_export.convert(encode, [trained.model.query], inputs_of(length), quantization, path, shorter)
        received = Encoder(Bundle.open(material.workdir)).encode(users)
        parity = Parity(
            "query_encoder",
            _overlap(expected, received, vectors),
            float(np.abs(expected - received).max()),
            quantization,
        )
        if parity.overlap >= LEAST_OVERLAP:
            break
    return parity


def _overlap(expected: Floats, received: Floats, vectors: Floats) -> float:
    """Mean share of the users' nearest items that two encoders have in common, a few users at a time.

    Of no users it is 0: what cannot be compared is not compressed.
    """
    if not len(expected):
        return 0.0
    starts = range(0, len(expected), max(1, SCORE_BATCH_SIZE // len(vectors)))
    parts = [slice(start, start + starts.step) for start in starts]
    shares = [litert_export.overlap(expected[part] @ vectors.T, received[part] @ vectors.T) for part in parts]
    return float(np.average(shares, weights=[len(expected[part]) for part in parts]))
