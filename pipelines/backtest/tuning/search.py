"""One search from a folder to its document, and its MLflow runs where a tracking server is set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import read_dataset
from pipelines.backtest.models import AISLE
from pipelines.backtest.protocols import find_cut, prepare
from pipelines.backtest.report import describe_dataset, spelled
from pipelines.backtest.tuning.aisle import tune_own
from pipelines.backtest.tuning.baselines import METRIC, Attempt, tune
from pipelines.errors import WrongUsageError
from pipelines.runtime import Console
from pipelines.settings import Settings, load_settings
from pipelines.training.baselines import MODELS

Keep = Callable[[str, Attempt], None]


def search(
    folder: Path, config: BacktestConfig, *, console: Console, most_trials: int | None = None, jobs: int = 1
) -> dict[str, Any]:
    """The best settings of every model, as JSON values.

    Args:
        folder: Holds the files of the data set.
        config: Protocol, models, budget and seed.
        console: Shows the progress.
        most_trials: Most trials of each model.
        jobs: Trials at once.

    Raises:
        WrongUsageError: A model's name is unknown.
        BacktestError: The data set is not what it should be.
    """
    known = (AISLE, *MODELS)
    if unknown := [name for name in config.models if name not in known]:
        raise WrongUsageError(
            f"expected models out of {', '.join(known)}, received {', '.join(unknown)}; see --model"
        )
    with console.step(f"read {folder}"):
        dataset = read_dataset(folder, with_test=config.protocol == "explicit")
        trial = prepare(dataset, find_cut(dataset, config), config).trial
    budget_s = 60 * config.budget_minutes / len(config.models)
    found = {}
    with _kept(load_settings(), config, dataset.name) as (run_id, keep):
        for name in config.models:

            def told(attempt: Attempt, name: str = name) -> None:
                given_up = ", then given up" if attempt.pruned else ""
                console.info(f"  {name} {attempt.number}: {METRIC} {attempt.worth:.4f}{given_up}")
                keep(name, attempt)

            with console.step(f"tune {name}"):
                if name == AISLE:
                    found[name] = tune_own(
                        folder,
                        config,
                        trial,
                        budget_s=budget_s,
                        most_trials=most_trials,
                        jobs=jobs,
                        told=told,
                    )
                else:
                    found[name] = tune(
                        trial, name, budget_s=budget_s, most_trials=most_trials, jobs=jobs, told=told
                    )
    document: dict[str, Any] = spelled(
        {
            **describe_dataset(dataset, config),
            "metric": METRIC,
            "models": {name: asdict(tuned) for name, tuned in found.items()},
            "run_id": run_id,
        }
    )
    return document


@contextmanager
def _kept(settings: Settings, config: BacktestConfig, folder: str) -> Iterator[tuple[str | None, Keep]]:
    """The run that holds the search and what makes a trial its child; without a server, nothing."""
    if settings.tracking_uri is None:
        yield None, lambda _name, _attempt: None
        return
    from pipelines.tracking import run

    with run(settings, "tune", tags={"data": folder}, system_metrics=False) as parent:
        parent.log_params(config)

        def keep(name: str, attempt: Attempt) -> None:
            title = f"{name} {attempt.number}"
            with run(settings, title, parent_run_id=parent.run_id, system_metrics=False) as child:
                child.log_params({"model": name, **attempt.settings})
                child.log_metrics({METRIC: attempt.worth, "seconds": attempt.seconds})
                child.set_tags({"pruned": attempt.pruned})

        yield parent.run_id, keep
