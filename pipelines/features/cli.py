"""`aisle features …`: build, materialize, look up and verify features."""

import shlex
from datetime import datetime

import click

from pipelines.errors import WrongUsageError
from pipelines.runtime import Console, Instant, finish

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def features() -> None:
    """Build features, keep them in Feast, and look them up."""


@features.command()
@click.option("--as-of", type=Instant(), help="Leave out events at or after this instant; by default none.")
@click.option("--span-days", type=click.IntRange(min=1), help="Days for which every state is kept.")
@as_json
def build(as_of: datetime | None, span_days: int | None, as_json: bool) -> None:
    """Compute the feature tables from the lake."""
    from pipelines.features.build import build_features
    from pipelines.features.engines import engine_of
    from pipelines.features.transforms import FeatureConfig
    from pipelines.lake import open_lake
    from pipelines.settings import load_settings

    console, settings = Console(quiet=as_json), load_settings()
    config = FeatureConfig() if span_days is None else FeatureConfig(span_days=span_days)
    with console.step("Build features"):
        report = build_features(
            open_lake(settings),
            as_of,
            config,
            lambda name, rows: console.info(f"  {name}: {rows:,} rows"),
            engine_of(settings),
        )
    finish(report.model_dump(mode="json"), as_json=as_json)


@features.command()
@click.option("--start", type=Instant(), help="Start of the window; by default the beginning of time.")
@click.option("--end", type=Instant(), help="End of the window; by default the instant of the last build.")
@as_json
def materialize(start: datetime | None, end: datetime | None, as_json: bool) -> None:
    """Write the newest values known in a window to the online store."""
    from pipelines.features.online_store import materialize
    from pipelines.settings import load_settings

    console = Console(quiet=as_json)
    with console.step("Materialize"):
        report = materialize.materialize(
            load_settings(), start, end, lambda name, rows: console.info(f"  {name}: {rows:,} entities")
        )
    finish(report.model_dump(mode="json"), as_json=as_json)


@features.command()
@click.option("--user", "user_id", help="Id of a user.")
@click.option("--item", "item_id", help="Id of an item.")
@as_json
def get(user_id: str | None, item_id: str | None, as_json: bool) -> None:
    """Look up what the online store serves for one user or one item."""
    from pipelines.settings import load_settings

    if (user_id is None) == (item_id is None):
        raise WrongUsageError("expected --user ID or --item ID, one of them")
    from pipelines.features.online_store import get_online

    found = get_online(load_settings(), user_id=user_id, item_id=item_id)
    if as_json:
        finish(found, as_json=True)
        return
    values = {
        f"{view}:{name}": value
        for view, features in found["features"].items()
        for name, value in features.items()
    }
    finish(found["entity"] | {"found": found["found"]} | values, as_json=False)


@features.command()
@click.option(
    "--sample", type=click.IntRange(min=1), default=1000, show_default=True, help="Users and items, each."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which of them are drawn.")
@as_json
def verify(sample: int, seed: int, as_json: bool) -> int:
    """Compute served vectors anew from the events, and compare bit for bit; exit code 1 where they differ."""
    from pipelines.features.parity import verify
    from pipelines.settings import load_settings

    console = Console(quiet=as_json)
    with console.step("Verify what is served"):
        report = verify.verify(load_settings(), sample, seed)
    told = {"ok": report.differences == 0, **report.model_dump(mode="json")}
    if as_json:
        finish(told, as_json=True)
        return 0 if told["ok"] else 1
    columns = ("view", "feature", "entity", "served", "history", "cause")
    if report.examples:
        console.table(
            columns,
            [[getattr(one, name) for name in columns] for one in report.examples],
            title="Differences",
        )
    for one in report.advice:
        console.info(one)
    finish({name: value for name, value in told.items() if name not in ("examples", "advice")}, as_json=False)
    return 0 if told["ok"] else 1


@features.command()
@as_json
def env(as_json: bool) -> None:
    """Show the variables that Feast's own commands need, as `export` lines."""
    from pipelines.features.registry.feast_environment import feast_environment
    from pipelines.settings import load_settings

    variables = feast_environment(load_settings())
    if as_json:
        finish(variables, as_json=True)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
