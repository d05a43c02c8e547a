"""`aisle release` and `aisle evaluate`: promote, roll back, look, and measure."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import ReleaseError
from pipelines.runtime import Console, finish

if TYPE_CHECKING:
    from pipelines.settings import Settings

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group()
def release() -> None:
    """Promote, roll back and look at releases."""


@release.command()
@click.argument("version", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="Why, for those who look later.")
@click.option("--by", help="Who; you, if left out.")
@click.option("--override", is_flag=True, help="Promote although the gate refused; the reason stays with it.")
@as_json_option
def promote(version: int, reason: str, by: str | None, override: bool, as_json: bool) -> None:
    """Make VERSION the champion; serving follows within seconds."""
    from pipelines.release import promotion
    from pipelines.settings import load_settings

    with Console(quiet=as_json).step(f"promote version {version}"):
        told = promotion.promote(load_settings(), version, reason=reason, by=by, override=override)
    finish({"ok": True, **told}, as_json=as_json)


@release.command()
@click.argument("version", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="Why, for those who look later.")
@click.option("--by", help="Who; you, if left out.")
@as_json_option
def approve(version: int, reason: str, by: str | None, as_json: bool) -> None:
    """Sign an approval of VERSION and leave alias `champion` where it is.

    Where serving asks for signatures, a click in the MLflow UI counts once the version is approved.
    """
    from pipelines.release import promotion
    from pipelines.settings import load_settings

    with Console(quiet=as_json).step(f"approve version {version}"):
        result = promotion.approve_version(load_settings(), version, reason=reason, by=by)
    finish({"ok": True, **result}, as_json=as_json)


@release.command()
@click.option("--reason", default="rolled back", show_default=True, help="Why.")
@click.option("--by", help="Who; you, if left out.")
@as_json_option
def rollback(reason: str, by: str | None, as_json: bool) -> None:
    """Make the version that was champion before the champion again."""
    from pipelines.release import promotion
    from pipelines.settings import load_settings

    with Console(quiet=as_json).step("roll back"):
        told = promotion.rollback(load_settings(), reason=reason, by=by)
    finish({"ok": True, **told}, as_json=as_json)


@release.command()
@as_json_option
def status(as_json: bool) -> None:
    """Show which version is what, since when, by whom and why."""
    from pipelines.release import promotion
    from pipelines.settings import load_settings

    told = promotion.status(load_settings())
    if as_json:
        finish({"ok": True, **told}, as_json=True)
    else:
        _show_status(Console(), told)


@release.command()
@click.argument("version", type=click.IntRange(min=1))
@as_json_option
def gate(version: int, as_json: bool) -> None:
    """Show what the gate asked of VERSION, and what it received; exit code 0 whatever the verdict."""
    from pipelines.settings import load_settings

    content = _report_of(load_settings(), version)
    verdict = content.get("gate") or {"passed": None, "reasons": [], "checks": []}
    if as_json:
        finish({"ok": True, "version": version, **verdict}, as_json=True)
        return
    console = Console()
    rows = [
        (
            "✓" if check["passed"] else "✗",
            check["name"].replace("_", " "),
            check["expected"],
            check["received"],
        )
        for check in verdict["checks"]
    ]
    console.table(("", "asked", "expected", "received"), rows, title=f"version {version}")
    console.info("passed" if verdict["passed"] else "refused")


@release.group()
def key() -> None:
    """Show, rotate and revoke the keys that sign releases."""


@key.command("show")
@as_json_option
def show_keys(as_json: bool) -> None:
    """Show which key signs and which public keys are trusted."""
    from pipelines.release import keys
    from pipelines.settings import load_settings

    rows = keys.describe(load_settings().keys)
    if as_json:
        finish({"ok": True, "keys": rows}, as_json=True)
    elif rows:
        Console().table(("key", "state"), [(row["id"], row["state"]) for row in rows], title="release keys")
    else:
        Console().info("no key yet: the first release makes one")


@key.command("rotate")
@as_json_option
def rotate_key(as_json: bool) -> None:
    """Make a new signing key; releases signed before stay trusted until their key is revoked."""
    from pipelines.release import keys
    from pipelines.settings import load_settings

    with Console(quiet=as_json).step("rotate the release key"):
        made = keys.rotate(load_settings().keys)
    finish({"ok": True, "key": made}, as_json=as_json)


@key.command("revoke")
@click.argument("key_id")
@as_json_option
def revoke_key(key_id: str, as_json: bool) -> None:
    """End the trust in KEY_ID; serving drops what it signed within seconds."""
    from pipelines.release import keys
    from pipelines.settings import load_settings

    with Console(quiet=as_json).step(f"revoke key {key_id}"):
        keys.revoke(load_settings().keys, key_id)
    finish({"ok": True, "revoked": key_id}, as_json=as_json)


@click.command()
@click.option(
    "--workdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Bundle under construction; the newest one, if left out.",
)
@click.option("--version", type=click.IntRange(min=1), help="Show how this registered version was measured.")
@as_json_option
def evaluate(workdir: Path | None, version: int | None, as_json: bool) -> None:
    """Score a release beside its baselines on the test window."""
    from pipelines.settings import load_settings

    if workdir is not None and version is not None:
        raise click.UsageError("expected --workdir or --version, received both")
    settings = load_settings()
    if version is not None:
        content = _report_of(settings, version)
    else:
        directory = workdir or _newest_bundle(settings)
        from pipelines.release.evaluate_task import evaluate_release

        with Console(quiet=as_json).step(f"evaluate {directory}"):
            evaluate_release(directory, settings=settings)
        content = json.loads((directory / "report.json").read_text("utf-8"))
    if as_json:
        finish({"ok": True, **content}, as_json=True)
    else:
        _show_report(Console(), content)


def _newest_bundle(settings: "Settings") -> Path:
    bundles = sorted(settings.workdir.glob("*/bundle"))
    if not bundles:
        raise ReleaseError(
            f"expected a bundle under construction in {settings.workdir}, but there is none; run the "
            "retrain DAG or `aisle train`, or name a registered one with --version"
        )
    return bundles[-1]


def _report_of(settings: "Settings", version: int) -> dict[str, Any]:
    from pipelines.release.registry import Registry

    registry = Registry(settings)
    with tempfile.TemporaryDirectory(prefix="aisle-report-") as folder:
        bundle = registry.download_bundle(registry.version(version), Path(folder))
        content: dict[str, Any] = json.loads((bundle / "report.json").read_text("utf-8"))
    return content


def _show_status(console: Console, told: dict[str, Any]) -> None:
    if not told["versions"]:
        console.info(f"{told['model']}: no release yet; run the retrain DAG")
        return
    champion, candidate = told["champion"], told["candidate"]
    rows = [
        (
            entry["version"],
            " ".join(
                alias
                for alias, holder in (("champion", champion), ("candidate", candidate))
                if holder and holder["version"] == entry["version"]
            ),
            entry["gate"] + (" (overridden)" if entry["override"] else ""),
            entry["ndcg_at_10"],
            entry["as_of"],
            entry["created_at"],
        )
        for entry in told["versions"]
    ]
    columns = ("version", "alias", "gate", "ndcg@10", "data up to", "registered at")
    console.table(columns, rows, title=told["model"])
    moves = [
        (move["at"], move["version"], move["kind"], move["by"], move["reason"])
        for move in reversed(told["moves"])
    ]
    console.table(("at", "version", "how", "by", "why"), moves, title="champions, the newest first")


def _show_report(console: Console, content: dict[str, Any]) -> None:
    metrics = ("ndcg@10", "recall@10", "hit_rate@10", "mrr@10", "coverage@10")
    rows = []
    for name, model in content["models"].items():
        values = model["metrics"]
        shown = ["-" if values.get(metric) is None else f"{values[metric]:.4f}" for metric in metrics]
        low, high = model["ci95"]["ndcg@10"]
        rows.append((name, shown[0], f"{low:.4f}-{high:.4f}", *shown[1:]))
    columns = ("model", metrics[0], "95 %", *metrics[1:])
    console.table(columns, rows, title=f"{content['dataset']['users']:,} users")
    verdict = content.get("gate")
    if verdict:
        console.info("gate passed" if verdict["passed"] else "gate refused")
        for reason in verdict["reasons"]:
            console.info(f"  {reason}")
