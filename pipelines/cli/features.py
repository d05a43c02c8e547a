"""`aisle features …`: the verbs of the feature store, and those that must know of releases as well."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import AisleError, FeatureError
from pipelines.features import as_json, features
from pipelines.features.server import key, serve, ui
from pipelines.release import apply, plan
from pipelines.runtime import Console, Instant, finish

if TYPE_CHECKING:
    from pipelines.settings import Settings

__all__ = ["features"]

features.add_command(plan)
features.add_command(apply)
features.add_command(serve)
features.add_command(key)
features.add_command(ui)


@features.command("list")
@click.option("--view", help="Only features of this feature view.")
@as_json
def list_features(view: str | None, as_json: bool) -> None:
    """List every feature: what it means, its unit, window and null, and who reads it."""
    from pipelines.features.catalog import catalogue
    from pipelines.settings import load_settings

    releases, unknown = _releases(load_settings())
    entries = catalogue(releases)
    if view is not None:
        views = ", ".join(dict.fromkeys(one.view for one in entries))
        entries = [one for one in entries if one.view == view]
        if not entries:
            raise FeatureError(f"expected a feature view among {views}, received {view!r}")
    if as_json:
        finish(
            {"features": [one.model_dump() for one in entries], "releases": unknown or releases}, as_json=True
        )
        return
    console = Console()
    if unknown:
        console.error(f"Which releases read what is not known: {unknown}")
    for name in dict.fromkeys(one.view for one in entries):
        mine = [one for one in entries if one.view == name]
        about = mine[0]
        readers = sorted({reader for one in mine for reader in (*one.services, *one.releases)})
        console.table(
            ("feature", "meaning", "unit", "window", "null means"),
            [(one.name, one.meaning, one.unit, one.window, one.null) for one in mine],
            title=(
                f"{name} · {about.kind}, by {about.entity} · {about.owner}\n"
                f"{'online' if about.online else 'in the lake only'}, made anew {about.freshness}, at most "
                f"{about.budget_hours:g} h old · {about.source}\nread by {', '.join(readers) or 'nobody'}"
            ),
        )


@features.command()
@click.argument("name")
@click.option("--at", type=Instant(), help="Instant at which ages are counted; by default now.")
@as_json
def show(name: str, at: datetime | None, as_json: bool) -> None:
    """Show one feature, NAME or VIEW:NAME: what is declared, how old it is, how its values are spread."""
    from pipelines.features.catalog import catalogue, drawn, find_entry
    from pipelines.features.catalog.distribution import distribution
    from pipelines.features.catalog.freshness import freshness
    from pipelines.settings import load_settings

    settings = load_settings()
    releases, unknown = _releases(settings)
    entry = find_entry(catalogue(releases), name)
    spread = distribution(settings, entry.view, entry.name)
    age = next((one for one in freshness(settings, at or datetime.now(UTC)) if one.view == entry.view), None)
    if as_json:
        told = {
            **entry.model_dump(),
            "freshness_now": age.model_dump(mode="json") if age else None,
            "distribution": spread.model_dump(mode="json"),
        }
        finish(told, as_json=True)
        return
    finish(
        {
            "feature": entry.reference,
            "meaning": entry.meaning,
            "unit": entry.unit,
            "window": entry.window,
            "null means": entry.null,
            "type": f"{entry.type}, {entry.kind}, by {entry.entity}",
            "source": entry.source,
            "owner": entry.owner,
            "services": ", ".join(entry.services) or "none",
            "releases": unknown or ", ".join(entry.releases) or "none",
            "freshness": _age_told(age),
            "entities": f"{spread.entities:,} as of {spread.as_of:%Y-%m-%d %H:%M} UTC",
            "null share": "nobody there" if spread.null_share is None else f"{spread.null_share:.1%}",
            **{f"{spread.what} {which}": f"{value:.6g}" for which, value in spread.quantiles.items()},
        },
        as_json=False,
    )
    click.echo("\n".join(drawn(spread.bars)))


@features.command("freshness")
@click.option("--at", type=Instant(), help="Instant at which ages are counted; by default now.")
@click.option("--prometheus", is_flag=True, help="Print Prometheus text, such as for a textfile collector.")
@as_json
def show_freshness(at: datetime | None, prometheus: bool, as_json: bool) -> int:
    """Show how old each feature view is; exit code 1 if one is over its budget."""
    from pipelines.features.catalog import freshness_metrics
    from pipelines.features.catalog.freshness import freshness
    from pipelines.settings import load_settings

    found = freshness(load_settings(), at or datetime.now(UTC))
    over = [one.view for one in found if one.is_over_budget]
    if prometheus:
        click.echo(freshness_metrics(found), nl=False)
    elif as_json:
        views = [one.model_dump(mode="json") | {"over_budget": one.is_over_budget} for one in found]
        finish({"ok": not over, "over_budget": over, "views": views}, as_json=True)
    else:
        for one in found:
            click.echo(f"{'✗' if one.is_over_budget else '✓'} {one.view:<16} {_age_told(one)}")
    return 1 if over else 0


def _releases(settings: "Settings") -> tuple[dict[str, tuple[str, ...]], str | None]:
    """Services that the live releases read, or why that is not known."""
    if settings.tracking_uri is None and not (settings.home / "mlflow" / "mlflow.db").is_file():
        return {}, None  # nothing was ever registered here; asking would make the database
    from pipelines.release.feature_use import feature_use

    try:
        return {str(one): one.services for one in feature_use(settings)}, None
    except AisleError as error:
        return {}, str(error)


def _age_told(one: Any) -> str:
    if one is None:
        return "not applied: run `aisle features apply`"
    if one.age_hours is None:
        return "never materialized: run `aisle features materialize`"
    return (
        f"{one.age_hours:,.1f} h old of {one.budget_hours:g} h, as of {one.served_as_of:%Y-%m-%d %H:%M} UTC"
    )
