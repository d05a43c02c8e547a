"""The models of a backtest: fitted on the trial alone, and asked for lists of the test's requests."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.models.top_k import list_requests
from pipelines.training.baselines import (
    MODELS,
    FitData,
    FittedBaseline,
    fit_field,
    reason_against,
    refit_field,
    score_batches,
)
from pipelines.training.data import EvaluationPoint, ModelSplit

Lists = Callable[[int, NDArray[np.integer]], NDArray[np.int32]]
"""Of k and the numbers of R requests: their lists `[R, k]`, best first, -1 = none."""


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model that waits for the requests of the test."""

    lists: Lists
    chosen: Mapping[str, Any]
    """What was selected on validation."""
    seconds: float
    """How long choosing and fitting took."""


def fit_baselines(
    trial: ModelSplit, test: EvaluationPoint, names: Sequence[str], budget_s: float
) -> dict[str, FittedModel]:
    """Baselines with settings chosen on validation, then fitted on all that is known at the test.

    Models that cannot be fitted on such data are left out; see `reasons_against`.

    Args:
        trial: What to learn from and to choose by.
        test: What was known at the test, and who asks.
        names: Of `MODELS`.
        budget_s: Seconds for choosing; with 0 every model keeps its defaults.
    """
    return {
        name: FittedModel(_lists_of(fitted, trial, test), fitted.chosen, seconds)
        for name, fitted, seconds in _fitted(trial, test, names, budget_s)
    }


def reasons_against(trial: ModelSplit, test: EvaluationPoint, names: Sequence[str]) -> dict[str, str]:
    """Models that cannot be fitted on such data, or not on all that is known at the test, and why."""
    reasons: dict[str, str] = {}
    for interactions in (trial.learning, test.known):
        known = FitData.of(trial, interactions)
        for name in names:
            if name in MODELS and (reason := reason_against(name, known)) is not None:
                reasons.setdefault(name, reason)
    return reasons


def digest_baselines(
    trial: ModelSplit, test: EvaluationPoint, names: Sequence[str], k: int
) -> dict[str, Any]:
    """Model → a digest of the scores of every request and item, and the lists, for the leak prober."""
    everybody = np.arange(len(test.histories))
    return {
        name: {
            "scores": _digest(fitted, test, trial.catalogue.num_rows),
            "lists": _lists_of(fitted, trial, test)(k, everybody),
        }
        for name, fitted, _ in _fitted(trial, test, names, 0.0)
    }


def _fitted(
    trial: ModelSplit, test: EvaluationPoint, names: Sequence[str], budget_s: float
) -> list[tuple[str, FittedBaseline, float]]:
    against = reasons_against(trial, test, names)
    chosen = fit_field(trial, [name for name in names if name not in against], budget_s)
    if test.known is trial.learning:
        return [(name, fitted, fitted.seconds) for name, fitted in chosen.items()]
    again = refit_field(trial, chosen, test.known)
    return [(name, fitted, chosen[name].seconds + fitted.seconds) for name, fitted in again.items()]


def _lists_of(fitted: FittedBaseline, trial: ModelSplit, test: EvaluationPoint) -> Lists:
    def lists(k: int, requests: NDArray[np.integer]) -> NDArray[np.int32]:
        return list_requests(
            fitted,
            test,
            trial.catalogue.num_rows,
            k,
            repeats=trial.repeats,
            seed=trial.seed,
            requests=requests,
        )

    return lists


def _digest(fitted: FittedBaseline, test: EvaluationPoint, n_items: int) -> str:
    digest = hashlib.blake2b()
    for part in score_batches(len(test.histories), n_items):
        digest.update(np.ascontiguousarray(fitted.scores(test.histories.take(part))).tobytes())
    return digest.hexdigest()
