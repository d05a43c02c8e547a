"""Which release's weights a retraining may go on from, and where they are fetched from.

The weights lie among the artifacts of the run that made the release, not in its bundle: serving has no use
for them. Their SHA-256 is in the signed manifest, and is compared before the file is opened.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.errors import TrackingError
from pipelines.release.champion_history import line_of_champions
from pipelines.release.registry import CHAMPION, PASSED, Registry, Version
from pipelines.release.step_cache import ReleaseWorkspace
from pipelines.runtime import read_instant
from pipelines.settings import Settings
from pipelines.tracking import resume
from pipelines.training.data import KEPT_WEIGHTS
from serving.errors import BundleError

WEIGHTS_FOLDER = "training"
"""Folder of a retraining's artifacts that holds them."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a retraining starts from."""

    weights: Path | None
    """None where it starts anew."""
    reason: str
    """Which version they are of, or why there are none."""

    def told(self, refusals: list[str]) -> str:
        """How training started, given why it would not take the weights."""
        if self.weights is None or refusals:
            return f"anew: {'; '.join([self.reason, *(refusals if self.weights else [])])}"
        return f"from {self.reason}"


NOT_ASKED = Start(None, "AISLE_WARM_START is off")


def earlier_release(settings: Settings, as_of: datetime) -> Version | None:
    """The last champion as of before `as_of`; where there was none, the newest release that passed the gate.

    Releases of the same cutoff are left out, so that a retraining that is done again starts from the same
    one. A champion that was rolled back from is none.
    """
    registry = Registry(settings)
    earlier = {one.number: one for one in registry.versions() if _is_before(one, as_of)}
    current = registry.alias(CHAMPION)
    line = [*line_of_champions(registry.moves()), *([current] if current is not None else [])]
    champions = [earlier[number] for number in line if number in earlier]
    if champions:
        return champions[-1]
    passed = [one for one in earlier.values() if one.gate == PASSED]
    return max(passed, key=lambda one: (one.tags["as_of"], one.number), default=None)


def fetch_start(settings: Settings, place: ReleaseWorkspace) -> Start:
    """The weights that the retraining in this workplace may go on from, fetched into it."""
    if place.start is None:
        return Start(None, "there is no earlier release")
    registry = Registry(settings)
    version = registry.version(place.start)
    run_id = version.run_id
    named = f"{WEIGHTS_FOLDER}/{KEPT_WEIGHTS}"
    fetched = resume(settings, run_id).fetch(named, place.folder / "start") if run_id else None
    if fetched is None:
        return Start(None, f"version {place.start} kept no weights")
    try:
        signed = registry.signed_manifest(version, place.folder / "start").facts.get("weights_sha256")
    except (BundleError, TrackingError) as error:
        return Start(None, f"the weights of version {place.start} cannot be verified: {error}")
    with fetched.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if received != signed:
        return Start(
            None, f"the weights of version {place.start} are not those that its manifest was signed with"
        )
    return Start(fetched, f"version {place.start}")


def _is_before(version: Version, as_of: datetime) -> bool:
    told = version.tags.get("as_of")
    return told is not None and read_instant(told) < as_of
