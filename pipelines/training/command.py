"""`aisle train`: a training set, retrieval and ranking, one after the other."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipelines.console import Console, finish
from pipelines.settings import Settings, load_settings

STEP_LIMIT_S = 3_600.0
"""Longest that one step may take; its process group is killed then."""


@click.command()
@click.option("--as-of", help="Leave out events at or after this instant, ISO 8601; by default none.")
@click.option(
    "--workdir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the bundle under construction; by default one for each as_of under AISLE_HOME.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")
def train(as_of: str | None, workdir: Path | None, as_json: bool) -> None:
    """Train retrieval and ranking on the lake's features, into the folder of a release bundle.

    Nothing is registered or served by this: the retrain DAG does both, and evaluates in between.
    """
    from pipelines.process import run_in_own_process

    settings, console = load_settings(), Console(quiet=as_json)
    instant = _as_of(settings, as_of)
    workdir = (workdir or settings.workdir / f"{instant:%Y%m%dT%H%M%SZ}" / "bundle").absolute()
    arguments = {"as_of": instant.isoformat(), "workdir": str(workdir)}
    steps: dict[str, dict[str, Any]] = {}
    for name in ("build_training_set", "train_retrieval", "train_ranking"):
        with console.step(name.replace("_", " ").capitalize()):
            steps[name] = run_in_own_process(
                f"pipelines.training.retrain:{name}", arguments, limit_s=STEP_LIMIT_S
            )
    retrieval, ranking = steps["train_retrieval"], steps["train_ranking"]
    console.table(
        ("step", "seconds", "figures"),
        (
            (
                "training set",
                steps["build_training_set"]["seconds"],
                f"{steps['build_training_set']['rows']:,} rows",
            ),
            ("retrieval", retrieval["seconds"], f"recall@100 {retrieval['recall_at_100']:.3f}"),
            ("ranking", ranking["seconds"], f"NDCG@10 {ranking['ndcg_at_10']:.3f}, AUC {ranking['auc']:.3f}"),
        ),
        title="On validation",
    )
    finish({"ok": True, "workdir": str(workdir), "as_of": instant.isoformat(), **steps}, as_json=as_json)


def _as_of(settings: Settings, given: str | None) -> datetime:
    """The instant asked for, or that of the newest features."""
    from pipelines.features.build import last_build
    from pipelines.lake import open_lake
    from pipelines.training.retrain import instant_of

    if given is not None:
        return instant_of(given)
    built: datetime = last_build(open_lake(settings))["as_of"]
    return built.astimezone(UTC)
