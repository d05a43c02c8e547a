"""The ranker, with its signals inside, written into the bundle."""

from dataclasses import replace

import numpy as np

from pipelines.training.candidate_generation import generate_candidates
from pipelines.training.data import VALIDATION, TrainingData
from pipelines.training.fit import Parity, litert_export
from pipelines.training.ranking.features import signals
from pipelines.training.ranking.model import NETWORK_INPUTS
from pipelines.training.ranking.train import TrainedRanker
from pipelines.training.retrieval import user_inputs
from pipelines.training.tf import Tensor, tf
from serving.bundle import RANKER, Bundle, write_spec
from serving.engine import ranker_inputs

LEAST_OVERLAP = 0.98
"""Share of the first ten items that compression may not go below."""

COMPARED_USERS = 100


def export(trained: TrainedRanker, material: TrainingData) -> Parity:
    """Write the flatbuffer, compressed where lists stay the same, and name its outputs in the spec.

    Returns:
        How close the written flatbuffer is to the trained graph.
    """
    bundle = Bundle.open(material.workdir)
    spec = replace(bundle.spec, ranker_outputs=trained.network.tasks)
    write_spec(material.workdir, spec)
    n_types = len(spec.event_types)

    def rank(**given: Tensor) -> dict[str, Tensor]:
        computed = signals(
            given["history_codes"],
            given["history_types"],
            given["history_ages_s"],
            given["candidate_codes"],
            n_types=n_types,
        )
        return trained.outputs(signals=computed, **{name: given[name] for name in NETWORK_INPUTS[1:]})

    specs = {
        "history_codes": tf.TensorSpec([1, spec.history_length, 1 + len(spec.code_columns)], tf.int32),
        **user_inputs(spec, spec.history_length),
        "candidate_codes": tf.TensorSpec([1, spec.candidates, 1 + len(spec.code_columns)], tf.int32),
        "candidate_features": tf.TensorSpec([1, spec.candidates, len(spec.item_features)], tf.float32),
        "retrieval_scores": tf.TensorSpec([1, spec.candidates], tf.float32),
        "source_scores": tf.TensorSpec([1, spec.candidates, len(spec.sources)], tf.float32),
        "source_strengths": tf.TensorSpec([1, spec.candidates, len(spec.sources)], tf.float32),
    }
    users = material.requests(VALIDATION).users
    users = users.rows(np.arange(min(COMPARED_USERS, len(users))))
    offered = generate_candidates(bundle, users)
    inputs = ranker_inputs(bundle, users, offered)
    compared = [
        rank(**{name: values[row : row + 1] for name, values in inputs.items()}) for row in range(len(users))
    ]
    expected = {name: np.concatenate([one[name].numpy() for one in compared]) for name in compared[0]}
    path, listed = material.workdir / RANKER, offered.items >= 0
    for quantization in dict.fromkeys([material.config.quantization, "none"]):
        litert_export.convert(rank, [trained.network], specs, quantization, path)
        received = litert_export.run(path, inputs)
        ours, theirs = (np.where(listed, one["score"], -np.inf) for one in (expected, received))
        parity = Parity(
            "ranker",
            litert_export.overlap(ours, theirs),
            max(float(np.abs(expected[name] - received[name])[listed].max()) for name in expected),
            quantization,
        )
        if parity.overlap >= LEAST_OVERLAP:
            break
    return parity
