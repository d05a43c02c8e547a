"""`aisle tune DIR`: search the settings of models on validation, never on the test."""

from pathlib import Path
from typing import Any

import click

from pipelines.backtest.cli import Names
from pipelines.runtime import Console, finish


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--protocol",
    required=True,
    type=click.Choice(["leave-one-out", "temporal", "explicit"]),
    help="Where the cutoff lies; nothing behind it is looked at.",
)
@click.option("--model", "models", type=Names(), required=True, help="Models, joined by commas.")
@click.option(
    "--budget-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=15,
    show_default=True,
    help="For all models together.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Most trials of each model.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trials at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every draw.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document as the last line of stdout.")
def tune(
    folder: Path,
    protocol: Any,
    models: tuple[str, ...],
    budget_minutes: float,
    trials: int | None,
    jobs: int,
    seed: int,
    as_json: bool,
) -> None:
    """Search the settings of models for those that are best by NDCG@10 on the validation requests of DIR.

    Where a tracking server is set, the search is an MLflow run, and every trial a child of it.
    """
    from pipelines.backtest.config import BacktestConfig
    from pipelines.backtest.tuning.search import search

    config = BacktestConfig(protocol=protocol, models=models, budget_minutes=budget_minutes, seed=seed)
    console = Console()
    document = search(folder, config, console=console, most_trials=trials, jobs=jobs)
    if as_json:
        finish(document, as_json=True)
        return
    rows = [
        (name, f"{found['worth']:.4f}", f"{found['default_worth']:.4f}", found["tried"], found["settings"])
        for name, found in document["models"].items()
    ]
    columns = ("model", "ndcg@10 on validation", "of the defaults", "tried", "settings")
    console.table(columns, rows, title=f"{document['folder']}, {protocol}")
