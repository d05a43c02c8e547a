"""Training the ranking stage: from requests and candidate items to a calibrated ranker."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.probabilities import auc, calibration_error
from pipelines.training.config import RankingConfig
from pipelines.training.layers import Standardize
from pipelines.training.ranking.calibration import fit_platt
from pipelines.training.ranking.model import NETWORK_INPUTS, RATING, Ranker, RankingNetwork, sigmoid
from pipelines.training.ranking.rows import RankingRows, ranking_rows, tasks_of
from pipelines.training.tensorflow import Tensor, fix_seeds, tf
from pipelines.training.training_set import VALIDATION, TrainingSet

LISTS_AT_ONCE = 128
BUFFERED = 4


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A trained ranker, its calibration, and how it came about."""

    network: RankingNetwork
    scales: npt.NDArray[np.float32]
    """[T] by which each task's logit is multiplied."""
    offsets: npt.NDArray[np.float32]
    """[T] added to it then."""
    curve: dict[str, list[float]]
    """Per epoch: `loss` and `validation_ndcg_at_10`."""
    metrics: dict[str, float]
    """On validation: `ndcg_at_10`, `auc`, `calibration_error`, of the first task."""
    rows: int
    """Candidate items of all training lists."""

    def outputs(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`score` and the probability of each task, [B, C] each; a rating comes as itself."""
        score, logits = self.network(**inputs)
        calibrated = logits * self.scales + self.offsets
        named = {
            name: calibrated[..., place] if name == RATING else tf.sigmoid(calibrated[..., place])
            for place, name in enumerate(self.network.tasks)
        }
        return {"score": score, **named}


def train(material: TrainingSet) -> TrainedRanker:
    """Train until validation NDCG@10 gets no better, keep the best epoch, and calibrate it there.

    The bundle in `workdir` must hold the query encoder and item vectors.
    """
    config, seed = material.config.ranking, material.config.seed
    fix_seeds(seed)
    lists = [ranking_rows(material, name) for name in material.ranking_names]
    validation = ranking_rows(material, VALIDATION)
    model = Ranker(build_network(material, lists), config)
    batches = Batches(lists, config, seed)
    steps = max(1, batches.per_epoch) * config.epochs
    schedule = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.1)
    model.compile(optimizer=tf.keras.optimizers.Adam(schedule))
    curve: dict[str, list[float]] = {"loss": [], "validation_ndcg_at_10": []}
    best, waited, best_weights = -1.0, 0, model.get_weights()
    for epoch in range(config.epochs):
        history = model.fit(batches.dataset(epoch), epochs=1, verbose=0)
        scores, _ = predict(model.network, validation)
        curve["loss"].append(float(history.history["total_loss"][-1]))
        curve["validation_ndcg_at_10"].append(ndcg(scores, validation))
        if curve["validation_ndcg_at_10"][-1] > best:
            best, waited, best_weights = curve["validation_ndcg_at_10"][-1], 0, model.get_weights()
        else:
            waited += 1
            if waited >= config.patience:
                break
    model.set_weights(best_weights)
    return _calibrated(model.network, validation, curve, sum(int((part.items >= 0).sum()) for part in lists))


def build_network(material: TrainingSet, lists: list[RankingRows]) -> RankingNetwork:
    """The network with the statistics of the training lists, its weights not trained yet."""
    spec = material.spec
    offered = [part.item_features[np.unique(part.items[part.items >= 0])] for part in lists]
    return RankingNetwork(
        tasks_of(material.event_types, material.target_types),
        Standardize.fit(np.concatenate(offered), "item_features"),
        Standardize.fit(np.concatenate([part.user_features for part in lists]), "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        material.config.ranking,
    )


def network_inputs(rows: RankingRows, chosen: npt.NDArray[Any] | slice) -> dict[str, npt.NDArray[Any]]:
    """The network's inputs for some of the lists."""
    items = rows.items[chosen]
    features = np.where(items[..., None] >= 0, rows.item_features[items], np.float32(np.nan))
    return {
        "signals": rows.signals[chosen].astype(np.float32),
        "candidate_features": features,
        "retrieval_scores": rows.retrieval_scores[chosen],
        "source_scores": rows.source_scores[chosen],
        "user_features": rows.user_features[chosen],
        "user_profile": rows.user_profile[chosen],
    }


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of whole lists, in a new seeded order for every epoch."""

    lists: list[RankingRows]
    config: RankingConfig
    seed: int

    @property
    def per_epoch(self) -> int:
        """Batches in one epoch."""
        return sum(-(-len(part) // self.config.batch_size) for part in self.lists)

    def dataset(self, epoch: int) -> Any:
        """The epoch's batches, made while the model trains on the ones before."""
        first = next(self.epoch(epoch))
        signature = {
            name: tf.TensorSpec([None, *values.shape[1:]], values.dtype) for name, values in first.items()
        }
        made = tf.data.Dataset.from_generator(lambda: self.epoch(epoch), output_signature=signature)
        return made.prefetch(BUFFERED)

    def epoch(self, epoch: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Every list once; a batch holds lists of one instant."""
        rng = np.random.default_rng((self.seed, epoch))
        batches = [
            (part, chosen)
            for part in self.lists
            for chosen in np.split(
                rng.permutation(len(part)),
                np.arange(self.config.batch_size, len(part), self.config.batch_size),
            )
        ]
        for place in rng.permutation(len(batches)):
            part, chosen = batches[place]
            weights = (part.items[chosen] >= 0).astype(np.float32)
            yield {**network_inputs(part, chosen), "labels": part.labels[chosen], "weights": weights}


def predict(
    network: RankingNetwork, rows: RankingRows
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores [R, C], -inf at padding, and logits [R, C, T]."""
    apply = tf.function(lambda inputs: network(**{name: inputs[name] for name in NETWORK_INPUTS}))
    parts = [
        apply(network_inputs(rows, slice(start, start + LISTS_AT_ONCE)))
        for start in range(0, len(rows), LISTS_AT_ONCE)
    ]
    scores = np.concatenate([score.numpy() for score, _ in parts])
    logits = np.concatenate([logit.numpy() for _, logit in parts])
    return np.where(rows.items >= 0, scores, -np.inf).astype(np.float32), logits


def ndcg(scores: npt.NDArray[np.float32], rows: RankingRows, k: int = 10) -> float:
    """Mean NDCG@k over users who took anything; items that were not offered count as missed."""
    asked = rows.wanted > 0
    if not asked.any():
        return 0.0
    best = np.argsort(-scores[asked], axis=1, kind="stable")[:, :k]
    gains = np.nan_to_num(np.take_along_axis(rows.labels[asked, :, 0], best, 1))
    discounts = 1 / np.log2(np.arange(k) + 2)
    ideal = np.cumsum(discounts)[np.minimum(rows.wanted[asked], k) - 1]
    return float(np.mean((gains * discounts[: gains.shape[1]]).sum(axis=1) / ideal))


def _calibrated(
    network: RankingNetwork, validation: RankingRows, curve: dict[str, list[float]], rows: int
) -> TrainedRanker:
    scores, logits = predict(network, validation)
    fits, listed = [], validation.items >= 0
    for place, name in enumerate(network.tasks):
        labels = validation.labels[..., place]
        told = listed & ~np.isnan(labels)
        fits.append((1.0, 0.0) if name == RATING else fit_platt(logits[told, place], labels[told]))
    scales, offsets = (np.array(values, np.float32) for values in zip(*fits, strict=True))
    labels = validation.labels[..., 0][listed]
    probabilities = sigmoid(logits[..., 0][listed] * scales[0] + offsets[0])
    metrics = {
        "ndcg_at_10": ndcg(scores, validation),
        "auc": auc(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
    }
    return TrainedRanker(network, scales, offsets, curve, metrics, rows)
