"""`aisle bench …`: our way and a peer's on the same data, each in a process of its own."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.bench.features import Sizes
from pipelines.bench.growth import GROWTH_PARTS
from pipelines.runtime import Console, finish

if TYPE_CHECKING:
    from pipelines.training import Budget

PARTS = ("point_in_time", "materialize", "online", "build")

RANKING_LIMIT_S = 1_800.0
"""Seconds after which a ranking benchmark is killed."""

INTENT_LIMIT_S = 3_600.0
"""Seconds after which a benchmark of purchase intent is killed."""

SECOND_STAGE_LIMIT_S = 2 * 3_600.0
"""Seconds after which a benchmark of the second stage is killed."""


@click.group()
def bench() -> None:
    """Measure, beside peers on the same data."""


@bench.command()
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each side.")
@click.option("--scale", type=click.FloatRange(min=0.0001), default=1.0, help="Share of the full sizes.")
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Only this part; may be given several times."
)
@click.option(
    "--redis", "redis_url", help="Fill this Redis as well, which must be empty: redis://host:port/0."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def features(runs: int, scale: float, only: tuple[str, ...], redis_url: str | None, as_json: bool) -> None:
    """Point-in-time joins, materialization, look-ups and building, beside Feast's own ways and pandas.

    Sides alternate; every figure is the median of its runs. Full size takes 8 GB of memory, for the peer.
    """
    from pipelines.bench.features import building, looking_up, materializing, point_in_time

    measures: dict[str, Callable[[Path, Sizes, int], dict[str, Any]]] = {
        "point_in_time": point_in_time.measure,
        "materialize": partial(materializing.measure, redis_url=redis_url),
        "online": looking_up.measure,
        "build": building.measure,
    }
    console = Console(quiet=as_json)
    result = {}
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as folder:
        for part in PARTS:
            if part in (only or PARTS):
                with console.step(part):
                    result[part] = measures[part](Path(folder) / part, Sizes.of(scale), runs)
    finish(result, as_json=as_json)


@bench.command()
@click.option(
    "--events",
    "sizes",
    type=click.IntRange(min=1000),
    multiple=True,
    help="Events of a shop; may be given several times.  [default: from 100,000 to 20,000,000]",
)
@click.option(
    "--engine", "only", type=click.Choice(["duckdb", "spark"]), multiple=True, help="Only this engine."
)
@click.option(
    "--limit-s", type=click.FloatRange(min=1), default=900.0, show_default=True, help="For one measurement."
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the figures into this SVG."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def engines(
    sizes: tuple[int, ...], only: tuple[str, ...], limit_s: float, plot: Path | None, as_json: bool
) -> None:
    """Build features of growing synthetic shops on DuckDB and on Spark: seconds and peak memory.

    Spark is set by AISLE_SPARK_…, as ever. Every measurement has a process of its own; an engine that does
    not finish a size within the limit is not given a larger one.
    """
    from pipelines.bench.engines import draw_engines, measuring, table_of

    console = Console(quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="aisle-engines-") as folder:
        told = measuring.measure_engines(
            Path(folder),
            sizes or measuring.SIZES,
            only or measuring.ENGINES,
            limit_s,
            console,
        )
    if plot is not None:
        draw_engines(told, plot)
    if as_json:
        finish(told, as_json=True)
    else:
        console.table(
            ["engine", "events", "time", "CPU", "memory"], table_of(told), title="Building features"
        )


@bench.command()
@click.option("--users", "n_users", type=click.IntRange(min=1), default=35_000, show_default=True)
@click.option("--items", "n_items", type=click.IntRange(min=30), default=18_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def ranking(n_users: int, n_items: int, as_json: bool) -> None:
    """Rank every item for every user, and measure the lists with all metrics, slices and intervals."""
    from pipelines.bench.ranking import measure_full_ranking
    from pipelines.runtime import Limits, run_isolated

    console = Console(quiet=as_json)
    with console.step(f"{n_users:,} users x {n_items:,} items"):
        figures = run_isolated(
            measure_full_ranking, Limits(RANKING_LIMIT_S), n_users=n_users, n_items=n_items
        )
    finish(figures, as_json=as_json)


@bench.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every draw.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def intent(folder: Path, seed: int, as_json: bool) -> None:
    """Purchase intent within sessions, beside LightGBM on fifteen plain features, events from DIR.

    DIR holds `events.parquet` with views or carts, and purchases. Both sides learn from the earlier sessions
    and are tested on the latest fifth.
    """
    from pipelines.bench.intent import measure_intent
    from pipelines.runtime import Limits, run_isolated

    console = Console(quiet=as_json)
    with console.step(f"purchase intent on {folder}"):
        figures = run_isolated(
            measure_intent, Limits(INTENT_LIMIT_S), folder=str(folder.absolute()), seed=seed
        )
    finish(figures, as_json=as_json)


@bench.command("second-stage")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(["leave-one-out", "temporal", "explicit"]),
    default="leave-one-out",
    show_default=True,
    help="Where the cutoff lies; nothing behind it is looked at.",
)
@click.option(
    "--budget",
    type=click.Choice(["full", "demo", "short"]),
    default="full",
    show_default=True,
    help="How long retrieval and our ranker are trained.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every draw.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def second_stage(folder: Path, protocol: str, budget: "Budget", seed: int, as_json: bool) -> None:
    """Rank the same candidate items with our ranker and with LightGBM's LambdaMART, events from DIR.

    Both learn from the same rows, stop by the same validation requests, and are measured on held-out ones.
    """
    from pipelines.bench.second_stage import measure_second_stage
    from pipelines.runtime import Limits, run_isolated

    console = Console(quiet=as_json)
    with console.step(f"second stages on {folder}, {protocol}"):
        figures = run_isolated(
            measure_second_stage,
            Limits(SECOND_STAGE_LIMIT_S),
            folder=str(folder.absolute()),
            protocol=protocol,
            budget=budget,
            seed=seed,
        )
    finish(figures, as_json=as_json)


@bench.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each side.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Steps of ours that a run times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def train(folder: Path, runs: int, steps: int, as_json: bool) -> None:
    """Examples per second of training steps, beside the TFRS tutorial's at its best batch size.

    DIR holds `events.parquet` and, if the shop has it, `items.parquet`, as for `aisle backtest`. Sides
    alternate; every figure is the median of its runs.
    """
    from pipelines.bench import training

    console = Console(quiet=as_json)
    finish(training.measure(folder, runs, steps, console), as_json=as_json)


@bench.command()
@click.option(
    "--events", type=click.IntRange(min=1_000), multiple=True, default=(100_000, 1_000_000, 10_000_000)
)
@click.option("--items", type=click.IntRange(min=100), multiple=True, default=(10_000, 100_000, 1_000_000))
@click.option(
    "--with-items",
    type=click.IntRange(min=100),
    default=10_000,
    show_default=True,
    help="Items of the shops whose events grow.",
)
@click.option(
    "--with-events",
    type=click.IntRange(min=1_000),
    default=1_000_000,
    show_default=True,
    help="Events of the shops whose items grow.",
)
@click.option(
    "--budget",
    type=click.Choice(["full", "demo", "short"]),
    default="demo",
    show_default=True,
    help="How long models are trained.",
)
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(min=1),
    default=3_600.0,
    help="Seconds for each part of a shop.",
)
@click.option(
    "--until",
    type=click.Choice(GROWTH_PARTS),
    default=GROWTH_PARTS[-1],
    show_default=True,
    help="The last part to measure.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/growth"),
    show_default=True,
    help="Folder for growth.json and growth.svg; what is in the former stays, if it is of other sizes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def growth(
    events: tuple[int, ...],
    items: tuple[int, ...],
    with_items: int,
    with_events: int,
    budget: str,
    limit_s: float,
    until: str,
    out: Path,
    as_json: bool,
) -> None:
    """Seconds and memory of each part of a training, in synthetic shops of growing size.

    Every part runs in a process of its own. --events and --items may be given several times.
    """
    import json

    from pipelines.bench.growth import kept, measure, sizes, with_shop, write_plot

    console = Console(quiet=as_json)
    out.mkdir(parents=True, exist_ok=True)
    shops = kept(out / "growth.json")
    for size in sizes(events, items, with_events, with_items):
        shops = with_shop(shops, measure(size, budget, limit_s, console, until))
        (out / "growth.json").write_text(json.dumps({"shops": shops}, indent=1) + "\n", "utf-8")
        write_plot(shops, out / "growth.svg")
    finish({"shops": shops, "plot": str(out / "growth.svg")}, as_json=as_json)


@bench.command()
@click.option("--items", type=click.IntRange(min=1_000), default=50_000, show_default=True)
@click.option("--users", type=click.IntRange(min=100), default=100_000, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=200.0,
    show_default=True,
    help="Lists per second at which latencies are measured.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Serving processes.  [default: one for each core]"
)
@click.option("--quick", is_flag=True, help="Measure for seconds only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def serve(items: int, users: int, rate: float, workers: int | None, quick: bool, as_json: bool) -> None:
    """Load on serving, open-loop, from another process: latency, saturation, swaps, overload, memory.

    The release is made from statistics, without a training, and kept in AISLE_HOME for the next run. The same
    release is measured behind `mlflow models serve`. Latencies count from the instant a request was due.
    """
    from pipelines.bench.serve import FULL, QUICK, Size, measure
    from pipelines.settings import Settings

    folder = Settings().home / "bench-serve"
    effort = QUICK if quick else FULL
    told = measure(folder, Size(items, users), rate, effort, Console(quiet=as_json), workers)
    finish(told, as_json=as_json)
