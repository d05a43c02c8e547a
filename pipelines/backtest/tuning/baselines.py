"""Searching a model's settings on the validation requests of a trial: by Optuna, with pruning, in a budget.

The test is no part of a trial, so no search can look at it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import optuna

from pipelines.errors import BacktestError
from pipelines.training.baselines import (
    MODELS,
    PADDING,
    FitData,
    Recommender,
    ValidationSet,
    WithFallback,
    reason_against,
)
from pipelines.training.data import ModelSplit

PARTS = 4
"""Parts in which the validation requests are judged; after each one a hopeless trial is given up."""

STARTUP_TRIALS = 5
"""Trials that are never given up, and are drawn at random but for the first, which has the defaults."""

METRIC = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One trial of the search."""

    number: int
    settings: Mapping[str, Any]
    worth: float
    """NDCG@10 on the validation requests that were judged; NaN where it was given up before the first."""
    pruned: bool
    """Whether it was given up before all were judged."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found."""

    settings: Mapping[str, Any]
    """The best ones."""
    worth: float
    """Their NDCG@10 on validation."""
    default_worth: float
    """That of the defaults."""
    tried: int
    """Different settings that were judged, those given up included."""
    pruned: int
    """How many were given up."""
    all: int
    """Different settings that there are."""
    seconds: float
    training_budget: str | None = None
    """How long each training of `aisle` was; None for models without such lengths."""


def tune(
    trial: ModelSplit,
    name: str,
    *,
    budget_s: float,
    most_trials: int | None = None,
    jobs: int = 1,
    told: Callable[[Attempt], None] = lambda _: None,
) -> Tuned:
    """The settings of one model that are best by NDCG@10 on the trial's validation requests.

    The first trial has the defaults. With one job and a number of trials instead of a budget that ends the
    search, the same seed finds the same settings.

    Args:
        trial: What to learn from and to choose by.
        name: Of `MODELS`.
        budget_s: Seconds after which no further trial is begun.
        most_trials: Most trials; all that the budget allows, if left out.
        jobs: Trials at once.
        told: Called with each finished trial.

    Raises:
        BacktestError: The model cannot be fitted on such data.
    """
    known = FitData.of(trial)
    if reason := reason_against(name, known):
        raise BacktestError(f"expected a model that can be fitted on this data, received {name}: {reason}")
    started_s = time.perf_counter()
    model = MODELS[name]
    padding = None if name == PADDING else MODELS[PADDING].fit(known, **MODELS[PADDING].defaults)
    judges = _parts(ValidationSet.of(trial))
    found: dict[tuple[Any, ...], Attempt] = {}
    choices = prod(len(values) for values in model.space.values())

    def worth_of(asked: optuna.Trial) -> float:
        began_s = time.perf_counter()
        settings = {key: asked.suggest_categorical(key, values) for key, values in model.space.items()}
        key = tuple(settings.values())
        if key in found:
            if found[key].pruned:
                raise optuna.TrialPruned
            return found[key].worth
        fitted = model.fit(known, **settings)
        worth, pruned = _judged(judges, fitted if padding is None else WithFallback(fitted, padding), asked)
        found[key] = Attempt(asked.number, settings, worth, pruned, time.perf_counter() - began_s)
        told(found[key])
        if len(found) >= choices:
            asked.study.stop()
        if pruned:
            raise optuna.TrialPruned
        return worth

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=trial.seed, n_startup_trials=STARTUP_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
    )
    study.enqueue_trial(model.defaults)
    study.optimize(worth_of, n_trials=most_trials, timeout=budget_s, n_jobs=jobs)
    whole = [attempt for attempt in found.values() if not attempt.pruned]
    best = max(whole, key=lambda attempt: (attempt.worth, -attempt.number))
    return Tuned(
        settings=best.settings,
        worth=best.worth,
        default_worth=found[tuple(model.defaults.values())].worth,
        tried=len(found),
        pruned=len(found) - len(whole),
        all=choices,
        seconds=time.perf_counter() - started_s,
    )


def _parts(judge: ValidationSet) -> list[ValidationSet]:
    """The judge's requests dealt out to so many judges as there are requests for."""
    n = len(judge.histories)
    dealt = [np.arange(part, n, PARTS) for part in range(min(PARTS, max(n, 1)))]
    return [
        replace(judge, histories=judge.histories.take(rows), truth=judge.truth.take(rows)) for rows in dealt
    ]


def _judged(judges: list[ValidationSet], recommender: Recommender, asked: optuna.Trial) -> tuple[float, bool]:
    """Mean NDCG@10 over the requests judged so far, and whether the trial was given up before the last."""
    total, requests = 0.0, 0
    for step, judge in enumerate(judges):
        total += judge.ndcg(recommender) * len(judge.histories)
        requests += len(judge.histories)
        asked.report(total / max(requests, 1), step)
        if step + 1 < len(judges) and asked.should_prune():
            return total / max(requests, 1), True
    return total / max(requests, 1), False
