"""Item vectors and the query encoder, written into the bundle."""

from typing import Any

import numpy as np

from pipelines.training import litert
from pipelines.training.litert import Parity
from pipelines.training.retrieval.model import QUERY_INPUTS
from pipelines.training.retrieval.train import TrainedRetrieval
from pipelines.training.tensorflow import Tensor, tf
from pipelines.training.training_set import VALIDATION, TrainingSet
from serving.bundle import Bundle, Spec, write_array
from serving.bundle.layout import QUERY_ENCODER
from serving.ranking import encoder_inputs

LEAST_OVERLAP = 0.97
"""Share of the nearest ten items that compression may not go below."""

COMPARED_USERS = 200


def user_inputs(spec: Spec, length: int) -> dict[str, Any]:
    """`tf.TensorSpec` of the inputs about the user, for a history of this length."""
    return {
        "history_codes": tf.TensorSpec([1, length, 1 + len(spec.code_columns)], tf.int32),
        "history_types": tf.TensorSpec([1, length], tf.int32),
        "history_ages_s": tf.TensorSpec([1, length], tf.float32),
        "user_features": tf.TensorSpec([1, len(spec.user_features)], tf.float32),
        "user_profile": tf.TensorSpec([1, len(spec.profile_features)], tf.int32),
    }


def export(trained: TrainedRetrieval, material: TrainingSet) -> Parity:
    """Write item vectors and the flatbuffer; compressed where the nearest items stay the same.

    Returns:
        How close the written flatbuffer is to the trained encoder on validation requests.
    """
    bundle = Bundle.open(material.workdir)
    vectors = trained.item_vectors(bundle.n_items)
    write_array(material.workdir, "item_vectors", vectors)
    users = material.requests(VALIDATION).users
    inputs = encoder_inputs(bundle, users.rows(slice(0, COMPARED_USERS)))
    expected = trained.queries(inputs)

    def encode(**given: Tensor) -> dict[str, Tensor]:
        return {"query": trained.model.query(**{name: given[name] for name in QUERY_INPUTS})}

    path = material.workdir / QUERY_ENCODER
    specs = user_inputs(bundle.spec, bundle.spec.history_length_retrieval)
    for quantization in dict.fromkeys([material.config.quantization, "none"]):
        litert.convert(encode, [trained.model.query], specs, quantization, path)
        received = litert.run(path, inputs)["query"]
        parity = Parity(
            "query_encoder",
            litert.overlap(expected @ vectors.T, received @ vectors.T),
            float(np.abs(expected - received).max()),
            quantization,
        )
        if parity.overlap >= LEAST_OVERLAP:
            break
    return parity
