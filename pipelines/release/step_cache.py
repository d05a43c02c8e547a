"""The folder where one release is put together, and the record of the steps that are done there.

A step that was done with the same inputs is not done again: its result is read. So a retried or cleared task
costs nothing, and a crash leaves either the record of a finished step or none.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import serving
from pipelines.errors import ReleaseError
from pipelines.evaluation import Parity
from pipelines.runtime import read_instant
from pipelines.settings import Settings

STEPS = ("training_set", "retrieval", "ranking", "evaluate", "register")
"""In the order in which they are done."""

INPUTS = "inputs.json"

KEPT_WORKPLACES = 3
"""Folders of earlier releases that are kept, the newest by name."""


@dataclass(frozen=True, slots=True)
class ReleaseWorkspace:
    """Where the release of one cutoff is put together."""

    folder: Path
    as_of: datetime
    """Exclusive cutoff, UTC."""
    inputs: str
    """Hash of all that the result depends on: data, code and settings."""
    start: int | None = None
    """Version whose weights training goes on from, if they fit; None starts anew."""

    @classmethod
    def begin(
        cls, settings: Settings, as_of: str, lake_versions: Mapping[str, int], start: int | None = None
    ) -> "ReleaseWorkspace":
        """The workplace of this cutoff with these versions of the lake's tables, made if it is not there.

        Args:
            settings: Where workplaces are.
            as_of: Exclusive cutoff, ISO 8601 with its offset.
            lake_versions: By table.
            start: Version whose weights training goes on from, if they fit.

        Raises:
            WrongUsageError: The cutoff is no instant with an offset from UTC.
        """
        at = read_instant(as_of)
        told = {
            "as_of": at.isoformat(),
            "lake_versions": dict(sorted(lake_versions.items())),
            "training_budget": settings.training_budget,
            "code": code_sha256(),
            **({"start": start} if settings.warm_start else {}),
        }
        inputs = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        folder = _folder(settings, at)
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / INPUTS, {"inputs": inputs, **told})
        return cls(folder, at, inputs, start)

    @classmethod
    def open(cls, settings: Settings, as_of: str) -> "ReleaseWorkspace":
        """The workplace that was begun for this cutoff.

        Raises:
            ReleaseError: None was.
        """
        at = read_instant(as_of)
        folder = _folder(settings, at)
        try:
            told = json.loads((folder / INPUTS).read_text("utf-8"))
        except FileNotFoundError as error:
            raise ReleaseError(
                f"expected a release begun for {as_of} in {folder}, but there is none; run the "
                "retrain DAG from its first task, or `aisle train`"
            ) from error
        return cls(folder, at, told["inputs"], told.get("start"))

    @property
    def bundle(self) -> Path:
        """The bundle under construction, which is measured."""
        return self.folder / "bundle"

    @property
    def release(self) -> Path:
        """The bundle that is sealed: a copy, with what is counted brought up to the cutoff."""
        return self.folder / "release" / "bundle"

    @property
    def as_of_text(self) -> str:
        """The cutoff as ISO 8601 in UTC."""
        return self.as_of.isoformat()

    def result(self, step: str) -> dict[str, Any] | None:
        """What the step answered when it was done with these inputs; None where it has to be done."""
        try:
            record: dict[str, Any] = json.loads(self._record(step).read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return dict(record["result"]) if record.get("inputs") == self.inputs else None

    def once(self, step: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The step's result with `reused`: read where it is done with these inputs, else worked out now."""
        known = self.result(step)
        if known is not None:
            return {**known, "reused": True}
        self.forget(step)
        result = dict(work())
        _write_whole(self._record(step), {"inputs": self.inputs, "result": result})
        return {**result, "reused": False}

    def forget(self, step: str) -> None:
        """Have the step and all that follow it done anew."""
        for later in STEPS[STEPS.index(step) :]:
            self._record(later).unlink(missing_ok=True)

    def _record(self, step: str) -> Path:
        return self.folder / f"{step}.json"


def recorded_parity(bundle: Path) -> list[Parity]:
    """What the training steps recorded of how far each exported graph departs from the trained one."""
    names = [entry.name for entry in fields(Parity)]
    found = []
    for step in ("retrieval", "ranking"):
        record = bundle.parent / f"{step}.json"
        if record.exists():
            parity = json.loads(record.read_text("utf-8"))["result"].get("parity")
            found += [Parity(**{name: parity[name] for name in names})] if parity else []
    return found


def _folder(settings: Settings, at: datetime) -> Path:
    return settings.workdir / at.strftime("%Y%m%dT%H%M%S")


def _write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON document that is there as a whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=1), "utf-8")
    unfinished.replace(path)


def clear_old_workplaces(settings: Settings, current: ReleaseWorkspace) -> list[str]:
    """Remove all but the newest workplaces and this one; the names of those removed."""
    if not settings.workdir.is_dir():
        return []
    others = sorted(path for path in settings.workdir.iterdir() if path.is_dir() and path != current.folder)
    old = others[: -(KEPT_WORKPLACES - 1)]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]


def code_sha256() -> str:
    """Hash of the code that makes a release; a change to any of it makes every step be done anew."""
    roots = [Path(__file__).parents[1], Path(serving.__file__).parent]
    digest = hashlib.sha256()
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()
