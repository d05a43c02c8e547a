"""Figures of predicted ratings: errors with intervals, differences, folds and slices, as JSON values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset
from pipelines.backtest.ranking_run import peak_mb
from pipelines.backtest.ratings.cross_validate import FOLDS, Numbers, Rated
from pipelines.backtest.report import describe_dataset
from pipelines.evaluation import RESAMPLES, Interval, intervals, plain
from pipelines.training.ratings import BLEND

MOST_DRAWS = 200_000_000
"""Ratings drawn for the intervals of all models; with many ratings, fewer draws are as sure."""

FEWEST_RESAMPLES = 100
KNOWN_STEPS = (0, 1, 10, 50, 200)
"""Lower ends of the slices by ratings of the same user, or item, to learn from."""


def describe_rated(dataset: Dataset, config: BacktestConfig, rated: Rated) -> dict[str, Any]:
    """The errors of the first model asked for, of the others as its baselines, and what lies between them."""
    model, *others = config.models
    apart = {name: values - rated.ratings.values for name, values in rated.predicted.items()}
    found = {name: _errors(values, rated.parts, config.seed) for name, values in apart.items()}
    seconds = {
        kind: {name: round(sum(getattr(fold, kind)[name] for fold in rated.folds), 3) for name in apart}
        for kind in ("train_seconds", "score_seconds")
    }
    values: dict[str, Any] = plain(
        {
            **describe_dataset(dataset, config),
            "folds": FOLDS,
            "ratings": len(rated.ratings),
            "model_name": model,
            "train_seconds": seconds["train_seconds"][model],
            "score_seconds": seconds["score_seconds"][model],
            "baseline_seconds": {
                name: {"train": seconds["train_seconds"][name], "score": seconds["score_seconds"][name]}
                for name in others
            },
            "peak_mb": round(peak_mb(), 1),
            "model": found[model]["means"],
            "ci95": found[model]["ci95"],
            "folds_of": {name: one["folds"] for name, one in found.items()},
            "baselines": {name: found[name]["means"] for name in others},
            "baselines_ci95": {name: found[name]["ci95"] for name in others},
            "differences": {
                name: {"mae": _paired(apart[model], apart[name], config.seed).to_json()} for name in others
            },
            "slices": _slices(rated, apart, model),
            "chosen": {BLEND: {"weights_of_folds": [fold.weights for fold in rated.folds]}}
            if BLEND in config.models
            else {},
            "counts": {"events_without_a_rating_of_their_own": dataset.events.num_rows - len(rated.ratings)},
        }
    )
    return values


def _errors(apart: Numbers, parts: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """MAE and RMSE over all ratings and in each fold; RMSE's interval is the root of the square's."""
    absolute, square = np.abs(apart), apart**2
    mae, mse = intervals(np.stack([absolute, square], axis=1), resamples=_resamples(len(apart)), seed=seed)
    sizes = np.bincount(parts, minlength=FOLDS)
    return {
        "means": {"mae": mae.mean, "rmse": float(np.sqrt(mse.mean))},
        "ci95": {"mae": (mae.low, mae.high), "rmse": (float(np.sqrt(mse.low)), float(np.sqrt(mse.high)))},
        "folds": {
            "mae": (np.bincount(parts, absolute) / sizes).tolist(),
            "rmse": np.sqrt(np.bincount(parts, square) / sizes).tolist(),
        },
    }


def _paired(own: Numbers, other: Numbers, seed: int) -> Interval:
    differences = np.abs(own) - np.abs(other)
    return intervals(differences[:, None], resamples=_resamples(len(own)), seed=seed)[0]


def _slices(rated: Rated, apart: Mapping[str, Numbers], model: str) -> dict[str, Any]:
    """Slice → how many ratings it holds, and every model's MAE there."""
    masks = {"user:cold": rated.known_of_user == 0, "item:cold": rated.known_of_item == 0}
    for kind, known in (("user_ratings", rated.known_of_user), ("item_ratings", rated.known_of_item)):
        for low, high in zip(KNOWN_STEPS, (*KNOWN_STEPS[1:], None), strict=True):
            name = f"{kind}:{low}+" if high is None else f"{kind}:{low}" + f"-{high - 1}" * (high - 1 > low)
            masks[name] = (known >= low) & (known < (np.inf if high is None else high))
    return {
        name: {
            "ratings": int(mask.sum()),
            "metric": "mae",
            "model": _mean(np.abs(apart[model][mask])),
            "baselines": {
                other: _mean(np.abs(values[mask])) for other, values in apart.items() if other != model
            },
        }
        for name, mask in masks.items()
        if mask.any() or name.endswith(":cold")
    }


def _mean(values: Numbers) -> float | None:
    return float(values.mean()) if len(values) else None


def _resamples(n: int) -> int:
    return int(np.clip(MOST_DRAWS // max(n, 1), FEWEST_RESAMPLES, RESAMPLES))
