"""One backtest from its data set to its figures: cut, prepare, fit, list, measure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset
from pipelines.backtest.leak_probe import Probe
from pipelines.backtest.leak_probe.probe import probe
from pipelines.backtest.metrics import asked_requests, measure
from pipelines.backtest.models import (
    AISLE,
    PROBED,
    FittedModel,
    digest_baselines,
    fit_baselines,
    fit_own_model,
    reasons_against,
)
from pipelines.backtest.protocols import BacktestSplit, find_cut, prepare
from pipelines.errors import BacktestError
from pipelines.evaluation import Evaluation
from pipelines.runtime import Console, peak_bytes


@dataclass(frozen=True, slots=True)
class Ranked:
    """What came of a backtest that ranks items."""

    model: str
    """Name of the model that the backtest is about."""
    evaluation: Evaluation
    counts: Mapping[str, int]
    """What was left out or is special, by name."""
    chosen: Mapping[str, Mapping[str, Any]]
    """Model → what was selected on validation."""
    skipped: Mapping[str, str]
    """Models that cannot be fitted on such data, and why."""
    train_seconds: Mapping[str, float]
    score_seconds: Mapping[str, float]


def run_ranked(dataset: Dataset, config: BacktestConfig, console: Console) -> Ranked:
    """Fit the models on what lies before the cutoff, and measure their lists on what came after.

    Raises:
        BacktestError: The data set does not fit the protocol, or the model cannot be fitted on it.
    """
    with console.step(f"cut {dataset.name}, {config.protocol}"):
        prepared = prepare(dataset, find_cut(dataset, config), config)
    skipped = reasons_against(prepared.trial, prepared.test, config.models)
    model = config.models[0]
    if model in skipped:
        raise BacktestError(
            f"{dataset.name}: expected a model that can be fitted on this data, received {model}: "
            f"{skipped[model]}; name another one first"
        )
    asked = asked_requests(prepared)
    k = max(config.ks)
    lists: dict[str, NDArray[np.int32]] = {}
    chosen, train_seconds, score_seconds = {}, {}, {}
    fitted = _fitted(prepared, config, skipped, console)
    while fitted:
        name = next(iter(fitted))
        # Each model is let go of once it has answered: together they would fill the memory.
        this = fitted.pop(name)
        with console.step(f"{name}: {len(asked):,} lists of {prepared.trial.catalogue.num_rows:,} items"):
            started = time.perf_counter()
            lists[name] = this.lists(k, asked)
            score_seconds[name] = time.perf_counter() - started
        chosen[name], train_seconds[name] = this.chosen, this.seconds
        del this
    with console.step("measure"):
        evaluation = measure(prepared, lists, config.ks, config.seed)
    return Ranked(
        model=model,
        evaluation=evaluation,
        counts={"events_passed_over": dataset.passed_over, **prepared.counts},
        chosen=chosen,
        skipped=skipped,
        train_seconds=train_seconds,
        score_seconds=score_seconds,
    )


def probe_leaks(dataset: Dataset, config: BacktestConfig, console: Console) -> Probe:
    """Change all that lies after the cutoff in every way, and name what notices.

    Models are fitted with their default settings, so that no clock decides anything.
    """

    def answer(prepared: BacktestSplit) -> Mapping[str, Any]:
        trial, test, k = prepared.trial, prepared.test, max(config.ks)
        against = {AISLE, *reasons_against(trial, test, config.models)}
        names = [name for name in config.models if name not in against]
        answers = digest_baselines(trial, test, names, k)
        if AISLE in config.models:
            own = fit_own_model(trial, test, PROBED)
            answers[AISLE] = {"lists": own.lists(k, np.arange(len(test.histories)))}
        return answers

    with console.step("probe for leaks"):
        return probe(
            dataset,
            find_cut(dataset, config),
            lambda data, cut: prepare(data, cut, config),
            answer,
            config.seed,
        )


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB (10^6 bytes)."""
    return peak_bytes() / 1e6


def _fitted(
    prepared: BacktestSplit, config: BacktestConfig, skipped: Mapping[str, str], console: Console
) -> dict[str, FittedModel]:
    """The models that can be fitted, `aisle` in what the others leave of the minutes."""
    trial, test, budget_s = prepared.trial, prepared.test, 60 * config.budget_minutes
    baselines = [name for name in config.models if name not in {AISLE, *skipped}]
    fitted: dict[str, FittedModel] = {}
    if AISLE in config.models:
        others_s = budget_s / 3 if baselines else 0.0
        looks = count(1)

        def watch(figure: str, _: int, value: float) -> None:
            console.info(f"  {AISLE}, look {next(looks)} at validation: {figure} {value:.4f}")

        with console.step(f"fit {AISLE}"):
            fitted[AISLE] = fit_own_model(trial, test, budget_s=budget_s - others_s, watch=watch)
        budget_s = others_s
    if baselines:
        with console.step(f"fit {', '.join(baselines)}"):
            fitted |= fit_baselines(trial, test, baselines, budget_s)
    return fitted
