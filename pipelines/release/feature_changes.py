"""Bringing the registry to what `feature_repo` declares, unless that breaks a release that is in use."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.registry import (
    Change,
    Repository,
    applied_repository,
    broken_services,
    changes_between,
    declared_repository,
    feast,
)
from pipelines.release.feature_use import feature_use
from pipelines.settings import Settings, load_settings

HISTORY = "applied.jsonl"
"""File beside the registry with one line for each apply that changed something."""


class Plan(BaseModel):
    """What applying the declarations would do."""

    model_config = ConfigDict(frozen=True)

    changes: list[Change]
    """Everything that is added, removed or changed."""

    broken: dict[str, list[str]]
    """Feature services whose readers could not go on reading, each with the reasons."""

    refused: list[str]
    """Releases in use that would break, each with service and reason; empty: may be applied."""


def plan(settings: Settings) -> Plan:
    """Compare what is applied with what is declared, and ask who depends on it.

    The releases are asked for only where a service would break.
    """
    applied, declared = _applied(settings), declared_repository()
    broken = broken_services(applied, declared)
    refused = [
        f"version {release.version} ({release.alias}) reads {service}: {reason}"
        for release in (feature_use(settings) if broken else [])
        for service, reasons in broken.items()
        if service in release.services
        for reason in reasons
    ]
    return Plan(changes=changes_between(applied, declared), broken=broken, refused=refused)


def apply(settings: Settings, force_reason: str | None = None) -> dict[str, int]:
    """Bring the registry to what is declared; how many objects it has, and lost.

    Args:
        settings: Where the registries are.
        force_reason: Why a change is applied although it breaks a release in use; kept beside the registry.

    Raises:
        FeatureError: A release that is champion or candidate would break, and nobody says why it may.
    """
    planned = plan(settings)
    if planned.refused and not (force_reason or "").strip():
        raise FeatureError(
            "expected declarations that every release in use can go on with, received changes that break\n"
            + "\n".join(f"  {one}" for one in planned.refused)
            + "\nDeclare a new version of the service beside the old one, or apply with --force and --reason."
        )
    result = feast.apply(settings)
    if planned.changes:
        _remember(settings, planned, force_reason if planned.refused else None)
    return result


def _applied(settings: Settings) -> Repository:
    """What the registry holds; nothing where there is none yet, and none is made."""
    if not feast.has_registry(settings):
        return Repository()
    return applied_repository(feast.open_store(settings))


def _remember(settings: Settings, planned: Plan, reason: str | None) -> None:
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": getpass.getuser(),
        "forced_because": reason,
        **planned.model_dump(mode="json"),
    }
    path: Path = settings.home / "feast" / HISTORY
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as history:
        history.write(json.dumps(line, ensure_ascii=False) + "\n")


def declare() -> dict[str, int]:
    """As the `build_features` DAG calls it: apply what is declared, unless that breaks a release in use."""
    return apply(load_settings())
