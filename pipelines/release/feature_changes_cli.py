"""`aisle features plan` and `apply`, which know of features and of releases."""

import click

from pipelines.errors import WrongUsageError
from pipelines.features import as_json
from pipelines.runtime import Console, finish


@click.command()
@click.option("--check", is_flag=True, help="Only say which releases in use would break.")
@as_json
def plan(check: bool, as_json: bool) -> int:
    """Show what applying `feature_repo` would change; exit code 1 where a release in use would break."""
    from pipelines.release import feature_changes
    from pipelines.settings import load_settings

    planned = feature_changes.plan(load_settings())
    told = planned.model_dump(mode="json")
    if as_json:
        finish({"ok": not planned.refused, **told}, as_json=True)
        return 1 if planned.refused else 0
    console = Console()
    for one in planned.refused:
        console.error(one)
    if check:
        return 1 if planned.refused else 0
    if planned.changes:
        columns = ("what", "kind", "name", "detail")
        console.table(columns, [[getattr(one, name) for name in columns] for one in planned.changes])
    else:
        console.info("Nothing would change.")
    for service, reasons in planned.broken.items():
        console.info(f"{service} would break its readers: {'; '.join(reasons)}")
    return 1 if planned.refused else 0


@click.command()
@click.option("--force", is_flag=True, help="Apply although a release in use breaks; say why.")
@click.option("--reason", help="Why it is forced, for those who look later.")
@as_json
def apply(force: bool, reason: str | None, as_json: bool) -> None:
    """Bring Feast's registry to what `feature_repo` declares, unless a release in use would break."""
    from pipelines.settings import load_settings

    if force and not (reason or "").strip():
        raise WrongUsageError("expected --reason TEXT beside --force, received none: say why it may break")
    from pipelines.release import feature_changes

    with Console(quiet=as_json).step("Apply the feature repository"):
        result = feature_changes.apply(load_settings(), reason if force else None)
    finish(result, as_json=as_json)
