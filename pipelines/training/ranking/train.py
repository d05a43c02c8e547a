"""Training the ranking stage: from requests and candidate items to a calibrated ranker."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import auc, calibration_error, metrics_of_hits
from pipelines.training.config import RankingConfig
from pipelines.training.data import VALIDATION, TrainingData
from pipelines.training.fit import Figures, Standardize, fit_platt, fit_with_early_stopping, prefetched
from pipelines.training.ranking.dataset import RankingRows, ranking_rows, tasks_of, telling
from pipelines.training.ranking.linear_warmup import fit_linear
from pipelines.training.ranking.model import EXPECTED_RATING, Ranker, RankingNetwork, sigmoid
from pipelines.training.tf import Tensor, fix_seeds, tf
from serving.bundle import Bundle

LIST_BATCH_SIZE = 128
LEAST_SHARE = 1e-4
"""Of a task's labels: log odds end here."""


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A trained ranker, its calibration, and how it came about."""

    network: RankingNetwork
    scales: npt.NDArray[np.float32]
    """[T] by which each task's logit is multiplied."""
    offsets: npt.NDArray[np.float32]
    """[T] added to it then."""
    curve: dict[str, list[float]]
    """Per look at validation: `loss` and `validation_ndcg_at_10`."""
    metrics: dict[str, float]
    """On validation: `ndcg_at_10`, `auc`, `calibration_error`, of the first task."""
    rows: int
    """Candidate items of all training lists."""

    def outputs(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`score` and the probability of each task, [B, C] each; a rating comes as itself."""
        score, logits = self.network(**inputs)
        calibrated = logits * self.scales + self.offsets
        named = {
            name: calibrated[..., place] if name == EXPECTED_RATING else tf.sigmoid(calibrated[..., place])
            for place, name in enumerate(self.network.tasks)
        }
        return {"score": score, **named}


def train(material: TrainingData) -> TrainedRanker:
    """Train until validation NDCG@10 gets no better, keep the best state, and calibrate it there.

    The bundle in `workdir` must hold the query encoder and item vectors.
    """
    config, seed = material.config.ranking, material.config.seed
    fix_seeds(seed)
    lists = [ranking_rows(material, name) for name in material.ranking_names]
    validation = ranking_rows(material, VALIDATION)
    ratings = (
        Ratings.fit(lists)
        if EXPECTED_RATING in tasks_of(material.event_types, material.target_types)
        else None
    )
    if ratings is not None:
        lists = [ratings.standardized(part) for part in lists]
    model = Ranker(build_network(material, lists), config)
    start_from_linear(model.network, lists)
    batches = Batches(lists, config, seed)
    passes = max(config.epochs, -(-config.min_steps // max(1, batches.per_pass)))
    together = -(-passes // config.num_validations)
    steps = max(1, batches.per_pass) * passes
    schedule = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.1)
    model.compile(optimizer=tf.keras.optimizers.Adam(schedule))
    curve = fit_with_early_stopping(
        model,
        lambda check: batches.dataset(range(check * together, min(passes, (check + 1) * together))),
        lambda: ndcg(predict(model.network, validation)[0], validation),
        figure="validation_ndcg_at_10",
        epochs=-(-passes // together),
        patience=config.patience,
    )
    rows = sum(int((part.items >= 0).sum()) for part in lists)
    return _calibrated(model.network, validation, ratings, curve, rows)


def build_network(material: TrainingData, lists: list[RankingRows]) -> RankingNetwork:
    """The network with the statistics of the training lists, its weights not trained yet."""
    spec = Bundle.open(material.workdir).spec
    offered = [part.item_features[np.unique(part.items[part.items >= 0])] for part in lists]
    tasks = tasks_of(material.event_types, material.target_types)
    return RankingNetwork(
        tasks,
        Standardize.fit(np.concatenate(offered), "item_features"),
        Standardize.fit(np.concatenate([part.user_features for part in lists]), "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        material.config.ranking,
        task_biases(tasks, lists),
    )


def task_biases(tasks: tuple[str, ...], lists: list[RankingRows]) -> npt.NDArray[np.float32]:
    """[T] what each task's logit is before training: the log odds of its labels, the mean of its ratings.

    A network that had to learn how rare a purchase is would do it with the weights that should learn whose.
    """
    biases = []
    for place, task in enumerate(tasks):
        labels = np.concatenate([part.labels[part.items >= 0, place] for part in lists])
        labels = labels[~np.isnan(labels)]
        mean = float(labels.mean()) if len(labels) else 0.0
        share = min(max(mean, LEAST_SHARE), 1 - LEAST_SHARE)
        biases.append(mean if task == EXPECTED_RATING else float(np.log(share / (1 - share))))
    return np.array(biases, np.float32)


def start_from_linear(network: RankingNetwork, lists: list[RankingRows]) -> None:
    """Give the network's linear part the weights that rank best by themselves, where lists are few."""
    weights = fit_linear(lists)
    if weights is not None:
        part = next(part for part in lists if len(part))
        network(**{name: tf.constant(values) for name, values in network_inputs(part, np.arange(1)).items()})
        network.linear.set_weights([weights[:, None]])


def network_inputs(
    rows: RankingRows, chosen: npt.NDArray[np.int64], columns: npt.NDArray[np.int64] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The network's inputs for some of the lists, and of each only the columns [B, M] where given."""
    places = (chosen,) if columns is None else (chosen[:, None], columns)
    items = rows.items[places]
    return {
        "signals": rows.signals[places].astype(np.float32),
        "candidate_features": np.where(items[..., None] >= 0, rows.item_features[items], np.float32(np.nan)),
        "retrieval_scores": rows.retrieval_scores[places],
        "source_scores": rows.source_scores[places],
        "source_strengths": rows.source_strengths[places],
        "user_features": rows.user_features[chosen],
        "user_profile": rows.user_profile[chosen],
    }


@dataclass(frozen=True, slots=True)
class Ratings:
    """The shop's scale of ratings, which are learned in deviations from the mean."""

    mean: float
    deviation: float

    @classmethod
    def fit(cls, lists: list[RankingRows]) -> "Ratings":
        """The scale of the ratings in the lists; theirs is the last task."""
        given = np.concatenate([part.labels[..., -1].ravel() for part in lists])
        given = given[~np.isnan(given)]
        if len(given) == 0:
            return cls(0.0, 1.0)
        return cls(float(given.mean()), max(float(given.std()), 1e-3))

    def standardized(self, rows: RankingRows) -> RankingRows:
        """The lists with their ratings in deviations from the mean."""
        labels = rows.labels.copy()
        labels[..., -1] = (labels[..., -1] - self.mean) / self.deviation
        return replace(rows, labels=labels)


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of whole lists, in a new seeded order for every pass.

    Every pass takes all lists in which something was taken, and a new draw of the others: those teach how
    rare it is, for which fewer will do, and nothing of one item against another.
    """

    lists: list[RankingRows]
    config: RankingConfig
    seed: int

    @property
    def per_pass(self) -> int:
        """Batches in one pass."""
        sizes = (sum(told) for told in map(self._told_and_silent, self.lists))
        return sum(-(-size // self.config.batch_size) for size in sizes)

    def dataset(self, passes: range) -> Any:
        """The batches of some passes, made while the model trains on the ones before."""
        first = next(self.one_pass(passes.start))
        signature = {
            name: tf.TensorSpec([None, *values.shape[1:]], values.dtype) for name, values in first.items()
        }
        return prefetched(lambda: chain.from_iterable(self.one_pass(number) for number in passes), signature)

    def one_pass(self, number: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """The lists of one pass; a batch holds lists of one instant."""
        rng = np.random.default_rng((self.seed, number))
        size = self.config.batch_size
        batches = [
            (part, chosen, counts)
            for part in self.lists
            for drawn, counts in [self._drawn(part, rng)]
            for chosen in np.split(rng.permutation(drawn), np.arange(size, len(drawn), size))
        ]
        for place in rng.permutation(len(batches)):
            part, chosen, counts = batches[place]
            columns, weights = sampled_columns(part, chosen, self.config.items_per_list, rng)
            weights *= counts[chosen, None]
            labels = part.labels[chosen[:, None], columns]
            yield {**network_inputs(part, chosen, columns), "labels": labels, "weights": weights}

    def _told_and_silent(self, part: RankingRows) -> tuple[int, int]:
        """How many lists with and without anything taken one pass takes of an instant."""
        told = int(telling(part).sum())
        silent = len(part) - told
        return told, min(silent, round(self.config.empty_list_ratio * told)) if told else silent

    def _drawn(
        self, part: RankingRows, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Lists of one pass over an instant, and `[R]` how many lists each one stands for if it is drawn."""
        told, taken = telling(part), self._told_and_silent(part)[1]
        silent = np.flatnonzero(~told)
        drawn = np.append(np.flatnonzero(told), rng.permutation(silent)[:taken])
        return drawn, np.where(told, 1, len(silent) / max(taken, 1)).astype(np.float32)


def sampled_columns(
    rows: RankingRows, chosen: npt.NDArray[np.int64], most: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Columns [B, M] of each list: its positives first, then a draw of the others; and their weights [B, M].

    A drawn item stands for as many as were left out, so that losses and probabilities stay those of whole
    lists. Padding weighs 0.
    """
    listed = rows.items[chosen] >= 0
    taken = listed & (np.nan_to_num(rows.labels[chosen]) != 0).any(axis=-1)
    keys = np.where(listed, np.where(taken, 0.0, 1.0 + rng.random(listed.shape)), 3.0)
    columns = np.argsort(keys, axis=1, kind="stable")[:, :most]
    is_taken = np.take_along_axis(taken, columns, 1)
    is_drawn = np.take_along_axis(listed & ~taken, columns, 1)
    others, drawn = (listed & ~taken).sum(axis=1), is_drawn.sum(axis=1)
    stands_for = (others / np.maximum(drawn, 1))[:, None]
    return columns, (is_taken + is_drawn * stands_for).astype(np.float32)


def predict(
    network: RankingNetwork, rows: RankingRows
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores [R, C], -inf at padding, and logits [R, C, T]."""
    parts = [
        network.traced(network_inputs(rows, np.arange(start, min(start + LIST_BATCH_SIZE, len(rows)))))
        for start in range(0, len(rows), LIST_BATCH_SIZE)
    ]
    scores = np.concatenate([score.numpy() for score, _ in parts])
    logits = np.concatenate([logit.numpy() for _, logit in parts])
    return np.where(rows.items >= 0, scores, -np.inf).astype(np.float32), logits


def ndcg(scores: npt.NDArray[np.float32], rows: RankingRows, k: int = 10) -> Figures:
    """[U] NDCG@k of users who took anything, a single 0 where none did; items not offered count as missed."""
    asked = rows.wanted > 0
    if not asked.any():
        return np.zeros(1)
    best = np.argsort(-scores[asked], axis=1, kind="stable")[:, :k]
    hits = np.zeros((len(best), k), bool)
    hits[:, : best.shape[1]] = np.take_along_axis(np.nan_to_num(rows.labels[asked, :, 0]) > 0, best, 1)
    return metrics_of_hits(hits, rows.wanted[asked], [k])[f"ndcg@{k}"]


def _calibrated(
    network: RankingNetwork,
    validation: RankingRows,
    ratings: "Ratings | None",
    curve: dict[str, list[float]],
    rows: int,
) -> TrainedRanker:
    scores, logits = predict(network, validation)
    fits, listed = [], validation.items >= 0
    for place, name in enumerate(network.tasks):
        if name == EXPECTED_RATING and ratings is not None:
            fits.append((ratings.deviation, ratings.mean))
        else:
            fits.append(fit_platt(logits[listed, place], validation.labels[listed, place]))
    scales, offsets = (np.array(values, np.float32) for values in zip(*fits, strict=True))
    labels = validation.labels[..., 0][listed]
    probabilities = sigmoid(logits[..., 0][listed] * scales[0] + offsets[0])
    metrics = {
        "ndcg_at_10": float(ndcg(scores, validation).mean()),
        "auc": auc(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
    }
    return TrainedRanker(network, scales, offsets, curve, metrics, rows)
