"""Query encoder and ranker of the default configuration's shape with random weights: as costly as trained."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.training import Budget, Tensor, TrainingConfig, fix_seeds
from pipelines.training.fit import Standardize, convert
from pipelines.training.ranking import NETWORK_INPUTS, RankingNetwork, signals
from pipelines.training.retrieval import QUERY_INPUTS, SHORT_HISTORIES, QueryEncoder, user_inputs
from pipelines.training.tf import tf
from serving.bundle import QUERY_ENCODER, RANKER, Spec, read_spec
from serving.engine import UP_TO

ROWS = 64
"""Drawn rows that stand for the features' means and deviations."""


def write_graphs(directory: str, budget: Budget, seed: int = 0) -> dict[str, Any]:
    """Write both graphs into the bundle under construction at `directory`; run in a process of its own."""
    fix_seeds(seed)
    config, folder = TrainingConfig.of(None, budget=budget), Path(directory)
    spec = read_spec(folder)
    _write_encoder(folder, spec, config)
    _write_ranker(folder, spec, config)
    return {}


def _write_encoder(folder: Path, spec: Spec, config: TrainingConfig) -> None:
    query = QueryEncoder(
        _standardize(len(spec.user_features), "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        len(spec.event_types),
        config.retrieval,
        config.retrieval.ensemble_mixers[0],
    )

    def encode(**given: Tensor) -> dict[str, Tensor]:
        return {"query": query(**{name: given[name] for name in QUERY_INPUTS})}

    def inputs_of(length: int) -> dict[str, Any]:
        vectors = tf.TensorSpec([1, length, config.retrieval.embedding_dim], tf.float32)
        return {"history_vectors": vectors, **user_inputs(spec, length)}

    shorter = {f"{UP_TO}{few}": inputs_of(few) for few in SHORT_HISTORIES}
    inputs = inputs_of(spec.history_length_retrieval)
    convert(encode, [query], inputs, config.quantization, folder / QUERY_ENCODER, shorter)


def _write_ranker(folder: Path, spec: Spec, config: TrainingConfig) -> None:
    network = RankingNetwork(
        spec.ranker_outputs,
        _standardize(len(spec.item_features), "item_features"),
        _standardize(len(spec.user_features), "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        config.ranking,
        np.zeros(len(spec.ranker_outputs), np.float32),
    )
    n_types = len(spec.event_types)

    def rank(**given: Tensor) -> dict[str, Tensor]:
        computed = signals(
            given["history_codes"],
            given["history_types"],
            given["history_ages_s"],
            given["candidate_codes"],
            n_types=n_types,
        )
        score, logits = network(signals=computed, **{name: given[name] for name in NETWORK_INPUTS[1:]})
        tasks = {name: tf.sigmoid(logits[..., place]) for place, name in enumerate(network.tasks)}
        return {"score": score, **tasks}

    codes, sources = 1 + len(spec.code_columns), len(spec.sources)
    width = spec.candidates
    inputs = {
        "history_codes": tf.TensorSpec([1, spec.history_length, codes], tf.int32),
        **user_inputs(spec, spec.history_length),
        "candidate_codes": tf.TensorSpec([1, width, codes], tf.int32),
        "candidate_features": tf.TensorSpec([1, width, len(spec.item_features)], tf.float32),
        "retrieval_scores": tf.TensorSpec([1, width], tf.float32),
        "source_scores": tf.TensorSpec([1, width, sources], tf.float32),
        "source_strengths": tf.TensorSpec([1, width, sources], tf.float32),
    }
    rank(**{name: tf.zeros(one.shape, one.dtype) for name, one in inputs.items()})
    # Training starts these from zero; zeros would rank nothing.
    for dense in (network.score, network.linear):
        dense.kernel.assign(tf.random.normal(dense.kernel.shape, stddev=0.1))
    convert(rank, [network], inputs, config.quantization, folder / RANKER)


def _standardize(columns: int, name: str) -> Standardize:
    values = np.random.default_rng(1).lognormal(0, 2, (ROWS, columns)).astype(np.float32)
    values[::8] = np.nan
    return Standardize.fit(values, name)
