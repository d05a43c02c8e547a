"""Protocol ratings: every rating is predicted once, by models that have seen the other folds alone."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset
from pipelines.backtest.leak_probe import Difference, Probe
from pipelines.errors import BacktestError
from pipelines.runtime import Console
from pipelines.training.ratings import BLEND, BLEND_SHARE, RATING_MODELS, Blend, Ratings

FOLDS = 5
LEAST_RATINGS = 10 * FOLDS

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Folded:
    """Predictions of one fold's ratings by each model, clipped to the range of the ratings learned from."""

    predicted: Mapping[str, Numbers]
    """Model → [P]"""
    weights: Mapping[str, float]
    """What the blend gave to each model; empty without a blend."""
    train_seconds: Mapping[str, float]
    score_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rated:
    """What came of a backtest that predicts ratings."""

    ratings: Ratings
    parts: NDArray[np.int64]
    """[R] fold of each rating."""
    folds: Sequence[Folded]
    predicted: Mapping[str, Numbers]
    """Model → [R] predictions, in the order that the models were asked for in."""
    known_of_user: NDArray[np.int64]
    """[R] ratings of the same user in the other folds."""
    known_of_item: NDArray[np.int64]
    """[R] ratings of the same item in the other folds."""


def run_rated(dataset: Dataset, config: BacktestConfig, console: Console) -> Rated:
    """Cross-validate by five seeded folds.

    Raises:
        BacktestError: There are too few ratings.
    """
    ratings = ratings_of(dataset, config.seed)
    parts = folds_of(len(ratings), config.seed)
    predicted = {name: np.full(len(ratings), np.nan) for name in config.models}
    of_user, of_item = np.zeros(len(ratings), np.int64), np.zeros(len(ratings), np.int64)
    folds = []
    for fold in range(FOLDS):
        asked = parts == fold
        learning, test = ratings.rows(~asked), ratings.rows(asked)
        with console.step(f"fold {fold + 1} of {FOLDS}: {len(learning):,} ratings to learn from"):
            folds.append(predict_fold(learning, test, config.models, config.seed + fold))
        for name, values in folds[-1].predicted.items():
            predicted[name][asked] = values
        of_user[asked] = np.bincount(learning.users, minlength=ratings.n_users)[test.users]
        of_item[asked] = np.bincount(learning.items, minlength=ratings.n_items)[test.items]
    return Rated(ratings, parts, folds, predicted, of_user, of_item)


def ratings_of(dataset: Dataset, seed: int) -> Ratings:
    """The last rating of every user for every item."""
    events = dataset.events
    n_ratings = events.num_rows - events["rating"].null_count if "rating" in events.column_names else 0
    ratings = Ratings.of(events, dataset.items, dataset.users, seed=seed) if n_ratings else None
    if ratings is None or len(ratings) < LEAST_RATINGS:
        raise BacktestError(
            f"{dataset.name}: expected at least {LEAST_RATINGS} ratings in column rating of events.parquet, "
            f"received {0 if ratings is None else len(ratings)}; use a protocol that ranks items"
        )
    return ratings


def folds_of(n: int, seed: int) -> NDArray[np.int64]:
    """[n] a seeded fold for each rating, all folds of equal size but for one rating."""
    return np.random.default_rng(seed).permutation(n) % FOLDS


def predict_fold(learning: Ratings, test: Ratings, models: Sequence[str], seed: int) -> Folded:
    """Predict ratings by models fitted on others; of `test`, only who rates what is looked at.

    The blend is made of the other models asked for, or of all if there are none; its weights are chosen on a
    share of `learning` that its models have not seen, and the models are then fitted anew on all of it.
    """
    names = [name for name in models if name != BLEND] or list(RATING_MODELS)
    train_seconds, score_seconds = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)

    def predictions(known: Ratings, asked: Ratings) -> dict[str, Numbers]:
        told = {}
        for name in names:
            began = time.perf_counter()
            model = RATING_MODELS[name](known)
            fitted = time.perf_counter()
            told[name] = model.predict(asked.users, asked.items)
            train_seconds[name] += fitted - began
            score_seconds[name] += time.perf_counter() - fitted
        return told

    predicted = predictions(learning, test)
    weights: dict[str, float] = {}
    alone = dict(train_seconds), dict(score_seconds)
    if BLEND in models:
        held_out = np.random.default_rng(seed).random(len(learning)) < BLEND_SHARE
        most, rest = learning.rows(~held_out), learning.rows(held_out)
        blend = Blend.fit(np.stack(list(predictions(most, rest).values()), axis=1), rest.values)
        predicted[BLEND] = blend.predict(np.stack(list(predicted.values()), axis=1))
        weights = dict(zip(names, blend.weights.tolist(), strict=True))
        # Choosing its weights is part of the blend's training alone.
        chosen_s = sum(train_seconds.values()) + sum(score_seconds.values()) - sum(alone[1].values())
        alone[0][BLEND], alone[1][BLEND] = chosen_s, sum(alone[1].values())
    lowest, highest = learning.values.min(), learning.values.max()
    return Folded(
        {name: np.clip(predicted[name], lowest, highest) for name in models},
        weights,
        {name: alone[0][name] for name in models},
        {name: alone[1][name] for name in models},
    )


def probe_ratings(dataset: Dataset, config: BacktestConfig, console: Console) -> Probe:
    """Change the ratings of one fold in every way, and name the models whose predictions notice."""
    ratings = ratings_of(dataset, config.seed)
    asked = folds_of(len(ratings), config.seed) == 0
    learning, test = ratings.rows(~asked), ratings.rows(asked)
    random = np.random.default_rng(config.seed)
    ways: Mapping[str, Callable[[Numbers], Numbers]] = {
        "unchanged": lambda values: values,
        "shuffled": random.permutation,
        "replaced": lambda values: random.uniform(-1000, 1000, len(values)),
        "deleted": lambda values: np.full(len(values), np.nan),
    }
    with console.step("probe for leaks"):
        reference = predict_fold(learning, test, config.models, config.seed).predicted
        differences = [
            Difference(way, f"{name}.predictions")
            for way, change in ways.items()
            for name, values in predict_fold(
                learning, replace(test, values=change(test.values)), config.models, config.seed
            ).predicted.items()
            if values.tobytes() != reference[name].tobytes()
        ]
    return Probe(len(reference), tuple(differences))
