"""`aisle train`: what the `retrain` DAG does, by hand: train, measure, register."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from pipelines.runtime import Console, Instant, finish


@click.command()
@click.option(
    "--as-of",
    type=Instant(),
    help="Leave out events at or after this instant, ISO 8601; that of the features, if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def train(as_of: datetime | None, as_json: bool) -> None:
    """Train retrieval and ranking, measure them beside the baselines, and register one release.

    Finished steps are kept: run it again after a failure and it goes on where it stopped. What passes the
    gate gets alias `candidate`; serving follows once somebody promotes it.
    """
    from pipelines.release import tasks

    console = Console(quiet=as_json)
    steps: dict[str, Callable[[str, str], dict[str, Any]]] = {
        "training_set": tasks.build_training_set,
        "retrieval": tasks.train_retrieval,
        "ranking": tasks.train_ranking,
        "evaluate": tasks.evaluate,
        "register": tasks.register,
    }
    begun = tasks.begin(None if as_of is None else as_of.isoformat())
    told: dict[str, dict[str, Any]] = {}
    for name, step in steps.items():
        with console.step(name.replace("_", " ")):
            told[name] = step(begun["as_of"], begun["run_id"])
    console.table(
        ("step", "seconds", "figures"),
        (
            ("training set", told["training_set"]["seconds"], f"{told['training_set']['rows']:,} rows"),
            (
                "retrieval",
                told["retrieval"]["seconds"],
                f"recall@100 {told['retrieval']['recall_at_100']:.3f}",
            ),
            ("ranking", told["ranking"]["seconds"], f"AUC {told['ranking']['auc']:.3f}"),
            (
                "evaluate",
                told["evaluate"]["seconds"],
                f"NDCG@10 {told['evaluate']['release']['ndcg_at_10']:.4f}",
            ),
            ("register", told["register"]["seconds"], f"version {told['register']['version']}"),
        ),
        title=f"As of {begun['as_of']}",
    )
    release = told["register"]
    summary = {key: release[key] for key in ("version", "alias", "gate", "reasons")}
    finish({"ok": True, **begun, **summary, **({"steps": told} if as_json else {})}, as_json=as_json)
