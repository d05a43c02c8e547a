"""Aisle's own recommender on a trial: the models, sources and ranking of retraining, without a lake."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.runtime import map_ordered
from pipelines.training.config import TrainingConfig
from pipelines.training.data import EvaluationPoint, ModelSplit
from pipelines.training.event_training_set import TEST, EventTrainingSet, users_of
from pipelines.training.item_statistics import write_state_of
from pipelines.training.ranking import export as ranking_export
from pipelines.training.ranking.train import train as train_ranking
from pipelines.training.retrieval import export as retrieval_export
from pipelines.training.retrieval import fit_source_weights, recalls
from pipelines.training.retrieval.train import train as train_retrieval
from serving.bundle import Bundle
from serving.engine import Encoder, Ranker
from serving.engine.candidates import most_popular
from serving.engine.candidates.retrieve import retrieve

REQUEST_BATCH_SIZE = 128
"""Answered by one core at a time."""


@dataclass(frozen=True)
class AisleModel:
    """The trained bundle, ready to answer the test's requests."""

    bundle: Bundle
    encoder: Encoder
    ranker: Ranker
    test: EvaluationPoint
    chosen: Mapping[str, Any]
    """What was chosen on validation, and its figures there."""
    seconds: float
    """How long choosing and fitting took."""

    def lists(self, k: int, requests: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """[R, k] items for the test's requests of these numbers, best first, -1 = none."""
        starts = range(0, len(requests), REQUEST_BATCH_SIZE)
        parts = (requests[start : start + REQUEST_BATCH_SIZE] for start in starts)
        listed = map_ordered(lambda part: self._listed(k, part), parts, os.cpu_count() or 1)
        return np.concatenate([np.empty((0, k), np.int32), *listed])

    def _listed(self, k: int, requests: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        users = users_of(self.test.histories.take(requests), self.bundle.spec.history_length)
        offered = retrieve(self.bundle, users, self.encoder.encode(users))
        scores = self.ranker.rank(users, offered).scores
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        listed = np.full((len(requests), k), -1, np.int32)
        listed[:, : best.shape[1]] = np.take_along_axis(offered.items, best, 1)
        # Of whom nothing is known gets what is popular, as serving has it.
        popular = most_popular(self.bundle, k, None)
        listed[~users.has_history, : len(popular)] = popular
        return listed


def fit_default(
    trial: ModelSplit, test: EvaluationPoint, workdir: Path, choices: Mapping[str, Any] | None = None
) -> AisleModel:
    """Train retrieval and ranking as the retraining does, and bring what is counted up to the test.

    Args:
        trial: What to learn from and to choose by.
        test: What was known at the test, and who asks.
        workdir: An empty folder for the bundle.
        choices: Fields of `TrainingConfig` that differ from the defaults.
    """
    started = time.perf_counter()
    config = TrainingConfig.of(choices).model_copy(update={"seed": trial.seed})
    material = EventTrainingSet(trial, workdir, config, test)
    material.begin()
    retrieval = train_retrieval(material)
    retrieval_export.export(retrieval, material)
    weights = fit_source_weights(material)
    told = recalls(material)
    ranking = train_ranking(material)
    ranking_export.export(ranking, material)
    write_state_of(material, TEST)
    bundle = Bundle.open(workdir)
    chosen = {
        "source_weights": weights,
        "retrieval_curve": retrieval.curve,
        "ranking_curve": ranking.curve,
        "validation": {**told, **ranking.metrics},
    }
    return AisleModel(bundle, Encoder(bundle), Ranker(bundle), test, chosen, time.perf_counter() - started)
