"""`aisle backtest DIR`: models on a folder of events, measured on what they have not seen."""

from pathlib import Path
from typing import Any

import click

from pipelines.runtime import Console, finish

METRICS = ("ndcg", "recall", "hit_rate", "mrr", "coverage")
"""Metrics that the table on the terminal shows."""


class Lengths(click.ParamType[tuple[int, ...]]):
    """Lengths of lists, such as `10,20`."""

    name = "lengths"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the lengths, or say what was expected."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
            self.fail(f"expected lengths from 1 to 1000 such as 10,20, received {value!r}", param, ctx)
        return tuple(sorted({int(part) for part in parts}))


class Names(click.ParamType[tuple[str, ...]]):
    """Names joined by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read the names, or say what was expected."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in str(value).split(",")))
        if not all(names):
            self.fail(f"expected names joined by commas, received {value!r}", param, ctx)
        return names


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--protocol",
    required=True,
    type=click.Choice(["leave-one-out", "temporal", "explicit", "ratings", "search"]),
    help="Where the cutoff lies; search: judged search queries instead.",
)
@click.option("--k", "ks", type=Lengths(), default="10,20", show_default=True, help="Lengths of the lists.")
@click.option(
    "--keep-seen/--mask-seen",
    default=None,
    help="Whether items that a user had before are listed; masked in leave-one-out, else kept.",
)
@click.option("--model", "models", type=Names(), help="The model, and behind commas the baselines beside it.")
@click.option(
    "--budget-minutes",
    type=click.FloatRange(min=0),
    default=15,
    show_default=True,
    help="For training the model and choosing its settings.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every draw.")
@click.option(
    "--fit",
    type=click.Choice(["train", "train+validation"]),
    default="train",
    show_default=True,
    help="Leave-one-out: whether validation events are counted for the test.",
)
@click.option("--target", "targets", type=Names(), help="Temporal: event types that count; all, if left out.")
@click.option(
    "--learn-from", type=Names(), help="Temporal: event types that models get to see; all, if left out."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Where the HTML page goes.")
@click.option("--probe-leaks", "probing", is_flag=True, help="Change what lies after the cutoff, and look.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document as the last line of stdout.")
def backtest(folder: Path, report: Path | None, probing: bool, as_json: bool, **asked: Any) -> None:
    """Measure models on the events in DIR that lie after a cutoff.

    DIR holds events.parquet (user_id, item_id, event_type, event_at; optional rating, session_id, quantity),
    optionally items.parquet and users.parquet, and test.parquet (history, target) for protocol explicit.
    Protocol search takes items.parquet and judgments.parquet (search_query, item_id, relevance; optional
    fold) instead.
    """
    from pipelines.backtest.config import BacktestConfig
    from pipelines.backtest.run import known_models, run_backtest

    given = {name: value for name, value in asked.items() if value is not None}
    config = BacktestConfig(**{"models": known_models(asked["protocol"]), **given})
    document = run_backtest(folder, config, console=Console(), report=report, probing=probing)
    if as_json:
        finish(document, as_json=True)
    else:
        _show(Console(), document)


def _show(console: Console, document: dict[str, Any]) -> None:
    """The figures as a table, one row for each model."""
    names = [name for name in document["model"] if name in _shown(document)]
    models = {document["model_name"]: document["model"], **document["baselines"]}
    rows = [(name, *(_figure(metrics.get(metric)) for metric in names)) for name, metrics in models.items()]
    console.table(("model", *names), rows, title=f"{document['folder']}, {document['protocol']}")
    console.info(f"report: {document['report']}")


def _shown(document: dict[str, Any]) -> list[str]:
    if document["protocol"] in ("ratings", "search"):
        return list(document["model"])
    k = document["ks"][0]
    return [f"{metric}@{k}" for metric in METRICS]


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
