"""Searching the settings of `aisle`: whole trainings, each in a process of its own, within the minutes."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from math import nan, prod
from pathlib import Path
from typing import Any

import optuna

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.models import length_that_fits, over, training_seconds
from pipelines.backtest.tuning.baselines import Attempt, Tuned
from pipelines.backtest.tuning.worker import open_study, train_own
from pipelines.errors import BacktestError, ProcessError
from pipelines.runtime import Limits, run_isolated
from pipelines.training import TrainingConfig
from pipelines.training.data import ModelSplit

LEAST_TRIALS = 4
"""Trainings that are to fit into the budget; with fewer, a search is none."""

MOST_DRAWN_IN_VAIN = 20
"""Draws in a row that no longer fit, or were tried before, after which the search ends."""

Run = Callable[..., dict[str, Any]]
"""As `run_isolated`."""


def space_of(config: TrainingConfig) -> dict[str, tuple[Any, ...]]:
    """Values that are tried, by dotted name of the field; the first one is what the configuration has.

    They lie around what is there, so that the space follows the defaults.
    """
    retrieval, ranking = config.retrieval, config.ranking
    around: dict[str, tuple[Any, ...]] = {
        "retrieval.learning_rate": (retrieval.learning_rate / 2, retrieval.learning_rate * 2),
        "retrieval.dropout": (0.2, 0.35, 0.5, 0.65),
        "retrieval.temperature": (0.05, 0.07, 0.1),
        "retrieval.embedding_dim": (retrieval.embedding_dim // 2, retrieval.embedding_dim * 3 // 2),
        "retrieval.num_layers": (1, 2, 3),
        "retrieval.epochs": (max(1, retrieval.epochs // 2), retrieval.epochs * 3 // 2),
        "ranking.learning_rate": (ranking.learning_rate / 2, ranking.learning_rate * 2),
        "ranking.dropout": (0.0, 0.1, 0.3),
        "ranking.epochs": (max(1, ranking.epochs // 2), ranking.epochs * 2),
        "ranking.hidden": (ranking.hidden, tuple(2 * width for width in ranking.hidden), (32,)),
    }
    own = {name: _field(config, name) for name in around}
    return {name: (own[name], *(v for v in values if v != own[name])) for name, values in around.items()}


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as `TrainingConfig` takes them, from their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        part, _, field = name.partition(".")
        found.setdefault(part, {})[field] = list(value) if isinstance(value, tuple) else value
    return found


def tune_own(
    folder: Path,
    config: BacktestConfig,
    trial: ModelSplit,
    *,
    budget_s: float,
    most_trials: int | None = None,
    jobs: int = 1,
    told: Callable[[Attempt], None] = lambda _: None,
    base: Mapping[str, Any] | None = None,
    run: Run = run_isolated,
    clock: Callable[[], float] = time.perf_counter,
) -> Tuned:
    """The settings of `aisle` that are best by NDCG@10 on the trial's validation requests.

    Every trial is a training of one length, the longest of which `LEAST_TRIALS` fit into the seconds. The
    first one has the defaults. A trial is not begun that would not end in time, by what those before took,
    and one that runs into the end is stopped there; both count as never tried. Hopeless trials are given up
    at any look at validation, in retrieval or in ranking.

    Args:
        folder: Holds the files of the data set, which every trial reads for itself.
        config: Protocol and seed.
        trial: The same data, prepared.
        budget_s: Seconds for everything.
        most_trials: Most trials; all that the budget allows, if left out.
        jobs: Trials at once.
        told: Called with each finished trial.
        base: Fields of `TrainingConfig` that differ from the defaults, for all trials.
        run: Runs a trial.
        clock: Tells the seconds.

    Raises:
        BacktestError: Not even the shortest training fits, or none with the defaults ended in time.
    """
    started_s = clock()
    deadline_s = started_s + budget_s
    length = length_that_fits(trial, base, budget_s, LEAST_TRIALS)
    if length.seconds > budget_s:
        raise BacktestError(
            f"expected minutes in which a training of `aisle` ends, about {length.seconds / 60:.1f} here, "
            f"received {budget_s / 60:g}; give it more with --budget-minutes"
        )
    space = space_of(TrainingConfig.of(base))
    pace = _Pace(trial)
    found: dict[tuple[Any, ...], Attempt] = {}
    defaults = {name: values[0] for name, values in space.items()}
    begun: set[tuple[Any, ...]] = set()
    in_vain, lock = 0, threading.Lock()

    with tempfile.TemporaryDirectory(prefix="aisle-study-") as place:
        journal = Path(place) / "study.log"
        study = open_study(journal, trial.seed, begin=True)

        def worth_of(asked: optuna.Trial) -> float:
            nonlocal in_vain
            # Lists stand for tuples in a journal, so values are drawn by their place.
            drawn = {name: asked.suggest_categorical(name, range(len(space[name]))) for name in space}
            settings = {name: space[name][at] for name, at in drawn.items()}
            key, choices = tuple(settings.values()), over(length.choices, nested(settings))
            began_s = clock()
            with lock:
                fits = began_s + pace.expected(choices) <= deadline_s
                full = most_trials is not None and len(begun) >= most_trials
                if key in begun or not fits or full:
                    in_vain += 1
                    if full or in_vain >= MOST_DRAWN_IN_VAIN:
                        study.stop()
                    raise optuna.TrialPruned
                begun.add(key)
                in_vain = 0
            arguments = {
                "folder": str(folder.absolute()),
                "config": config.model_dump(mode="json"),
                "choices": choices,
                "journal": str(journal),
                "number": asked._trial_id,
            }
            try:
                outcome = run(train_own, Limits(max(1.0, deadline_s - began_s)), **arguments)
            except ProcessError as error:
                if clock() < deadline_s:
                    raise
                study.stop()
                raise optuna.TrialPruned from error
            took_s = clock() - began_s
            worth = nan if outcome["worth"] is None else float(outcome["worth"])
            attempt = Attempt(asked.number, nested(settings), worth, bool(outcome["pruned"]), took_s)
            with lock:
                found[key] = attempt
                if not attempt.pruned:
                    pace.took(choices, took_s)
                told(attempt)
            if attempt.pruned:
                raise optuna.TrialPruned
            return worth

        study.enqueue_trial(dict.fromkeys(defaults, 0))
        study.optimize(worth_of, timeout=budget_s, n_jobs=jobs)
    whole = [attempt for attempt in found.values() if not attempt.pruned]
    default = found.get(tuple(defaults.values()))
    if not whole or default is None:
        raise BacktestError(
            f"expected at least the training with the defaults to end within {budget_s / 60:g} minutes, "
            "received none that did; give it more with --budget-minutes"
        )
    best = max(whole, key=lambda attempt: (attempt.worth, -attempt.number))
    return Tuned(
        settings=best.settings,
        worth=best.worth,
        default_worth=default.worth,
        tried=len(found),
        pruned=len(found) - len(whole),
        all=prod(len(values) for values in space.values()),
        seconds=clock() - started_s,
        training_budget=length.name,
    )


class _Pace:
    """How long a training will take: as told beforehand, corrected by the slowest one so far."""

    def __init__(self, trial: ModelSplit) -> None:
        self._trial, self._slowness = trial, 1.0
        self._measured = False

    def expected(self, choices: Mapping[str, Any]) -> float:
        """Seconds of a training with these choices."""
        return self._slowness * training_seconds(self._trial, TrainingConfig.of(choices))

    def took(self, choices: Mapping[str, Any], seconds: float) -> None:
        """Learn from a training that ended."""
        slowness = seconds / training_seconds(self._trial, TrainingConfig.of(choices))
        self._slowness = max(self._slowness, slowness) if self._measured else slowness
        self._measured = True


def _field(config: TrainingConfig, name: str) -> Any:
    part, _, field = name.partition(".")
    return getattr(getattr(config, part), field)
