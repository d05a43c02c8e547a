"""Fitting the field: each baseline with the settings that are best on validation, within a budget of time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import WrongUsageError
from pipelines.training.baselines.evaluate import ValidationSet
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.recommender import Recommender, WithFallback
from pipelines.training.baselines.registry import MODELS, Model, reason_against
from pipelines.training.data import Histories, Interactions, ModelSplit
from pipelines.training.fit import paired_z_score

LEAST_LEAD = 1.0
"""Standard errors by which a setting must lead; a smaller lead may come from the draw of the users alone."""

PADDING = "popularity"
"""Model that speaks where another one has nothing to say."""


@dataclass(frozen=True, slots=True)
class FittedBaseline:
    """A baseline with its settings chosen; where it has nothing to say, popularity speaks."""

    name: str
    model: Recommender
    """The model itself, as a source of candidates: 0 or less where it has nothing to say."""
    padding: Recommender | None
    """Popularity; None for popularity itself."""
    settings: dict[str, Any]
    """What the model was fitted with."""
    chosen: dict[str, Any]
    """`settings`; and with a budget their `ndcg@10` on validation, and how many of `all` were `tried`."""
    seconds: float
    """How long choosing and fitting took."""

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n_items] the model's scores, and below them popularity's for all that it says nothing of."""
        if self.padding is None:
            return self.model.scores(histories)
        return WithFallback(self.model, self.padding).scores(histories)


def fit_field(
    trial: ModelSplit, names: Sequence[str] | None = None, budget_s: float = 0.0
) -> dict[str, FittedBaseline]:
    """Fit baselines on a trial's learning events, with the settings that are best on its validation requests.

    One setting after the other is varied with the rest as they are (coordinate search), by NDCG@10 over the
    whole catalogue, and taken where it is better by more than the draw of the users would explain. Every
    model gets an equal share of what is left of the budget and is fitted at least once, with its defaults.
    The outcome depends on the clock only where the budget ends a search, and `chosen` says so: `tried` is
    below `all` then. Models that cannot be fitted on such a shop are left out; `reason_against` says why.

    Args:
        trial: What to learn from and to choose by.
        names: Of `MODELS`; all of them by default.
        budget_s: Seconds for everything; with 0 the defaults are taken and nothing is judged.

    Raises:
        WrongUsageError: A name is unknown.
    """
    names = list(MODELS) if names is None else list(dict.fromkeys(names))
    if unknown := sorted(set(names) - set(MODELS)):
        raise WrongUsageError(f"expected baselines out of {', '.join(MODELS)}, received {', '.join(unknown)}")
    deadline_s = time.perf_counter() + budget_s
    known = FitData.of(trial)
    judge = ValidationSet.of(trial) if budget_s > 0 else None
    names = [name for name in names if reason_against(name, known) is None]
    order = [PADDING, *(name for name in names if name != PADDING)]
    fitted: dict[str, FittedBaseline] = {}
    for place, name in enumerate(order):
        now_s = time.perf_counter()
        padding = fitted[PADDING].model if fitted else None
        until_s = now_s + (deadline_s - now_s) / (len(order) - place)
        fitted[name] = choose(name, known, judge, padding, until_s)
    return {name: fitted[name] for name in names}


def refit_field(
    trial: ModelSplit, fitted: Mapping[str, FittedBaseline], interactions: Interactions
) -> dict[str, FittedBaseline]:
    """The same baselines with the same settings, fitted on other events: all that a later stage knows.

    Args:
        trial: The trial that the baselines were fitted on.
        fitted: The baselines.
        interactions: Of the same users and items.
    """
    known = FitData.of(trial, interactions)
    popularity: Recommender | None = None
    again: dict[str, FittedBaseline] = {}
    for name, baseline in sorted(fitted.items(), key=lambda entry: entry[0] != PADDING):
        started_s = time.perf_counter()
        model = MODELS[name].fit(known, **baseline.settings)
        if popularity is None:
            popularity = model if name == PADDING else MODELS[PADDING].fit(known, **MODELS[PADDING].defaults)
        padding = None if baseline.padding is None else popularity
        seconds = time.perf_counter() - started_s
        again[name] = replace(baseline, model=model, padding=padding, seconds=seconds)
    return {name: again[name] for name in fitted}


def choose(
    name: str, known: FitData, judge: ValidationSet | None, padding: Recommender | None, until_s: float
) -> FittedBaseline:
    """One model with the best settings found in time; with its defaults in any case.

    Args:
        name: Of `MODELS`.
        known: What it is fitted on.
        judge: What its settings are chosen by; None takes the defaults.
        padding: Who speaks where the model has nothing to say; None for popularity itself.
        until_s: When the search ends, by `time.perf_counter()`.
    """
    started_s = time.perf_counter()
    model, settings = MODELS[name], MODELS[name].defaults
    best = model.fit(known, **settings)
    chosen: dict[str, Any] = {"settings": settings}
    if judge is not None:
        worth = _worth(judge, best, padding)
        trials_s, tried = time.perf_counter() - started_s, 1
        for setting, value in _varied(model):
            if time.perf_counter() + trials_s / tried > until_s:
                break
            other = {**settings, setting: value}
            candidate = model.fit(known, **other)
            other_worth = _worth(judge, candidate, padding)
            trials_s, tried = time.perf_counter() - started_s, tried + 1
            if paired_z_score(other_worth, worth) > LEAST_LEAD:
                best, settings, worth = candidate, other, other_worth
        chosen = {
            "settings": settings,
            "ndcg@10": float(worth.mean()) if len(worth) else 0.0,
            "tried": tried,
            "all": 1 + len(_varied(model)),
        }
    return FittedBaseline(name, best, padding, settings, chosen, time.perf_counter() - started_s)


def _varied(model: Model) -> list[tuple[str, Any]]:
    """Every setting with each value beside its default, in the order of trying."""
    return [(name, value) for name, values in model.space.items() for value in values[1:]]


def _worth(judge: ValidationSet, model: Recommender, padding: Recommender | None) -> npt.NDArray[np.float64]:
    return judge.ndcgs(model if padding is None else WithFallback(model, padding))
