"""The door to MLflow's model registry: versions of the release, their tags, and where the aliases point."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.release.champion_history import Move, read_moves, write_moves
from pipelines.settings import Settings
from pipelines.tracking import as_default, connect, translated, unless_absent
from serving.bundle import APPROVAL_TAG, Manifest, trusted_keys, verify, verify_manifest

CANDIDATE = "candidate"
CHAMPION = "champion"
HISTORY_TAG = "champion_history"
PASSED, REFUSED = "passed", "refused"
BUNDLE_PATH = "artifacts/bundle"
"""Where the bundle lies below a version's files."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered release."""

    number: int
    created_at: datetime
    tags: Mapping[str, str]
    run_id: str | None

    @property
    def gate(self) -> str:
        """The gate's verdict: `passed`, `refused`, or `unknown` where nobody asked it."""
        verdict = self.tags.get("gate", "")
        return verdict if verdict in (PASSED, REFUSED) else "unknown"

    @property
    def reasons(self) -> list[str]:
        """Why the gate decided so."""
        return self.tags.get("gate_reasons", "").splitlines()

    def is_newer_than(self, other: "Version") -> bool:
        """Whether this version was made from later data; of two from the same data, later."""
        return (self.tags.get("as_of", ""), self.number) > (other.tags.get("as_of", ""), other.number)

    @property
    def override(self) -> str | None:
        """Why a person lets this version through although the gate did not; None where nobody does.

        As the registry says it: serving verifies the signature and does not take the registry's word.
        """
        try:
            body = json.loads(self.tags.get(APPROVAL_TAG, ""))
            return str(body["reason"]) if body["kind"] == "override" else None
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def may_be_promoted(self) -> bool:
        """Whether serving would take this version."""
        return self.gate == PASSED or self.override is not None


class Registry:
    """The registered model that the settings name.

    Raises:
        TrackingError: From every method, when MLflow cannot be reached or refuses.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = settings.model_name
        self._settings = settings
        self._client: Any = connect(settings)

    def versions(self) -> list[Version]:
        """All versions, the newest first."""
        with translated("listing the versions"):
            found = self._client.search_model_versions(f"name = '{self.name}'")
        return sorted((_version(entry) for entry in found), key=lambda version: -version.number)

    def version(self, number: int) -> Version:
        """One version.

        Raises:
            ReleaseError: There is none of that number.
        """
        with translated(f"reading version {number}"):
            found = unless_absent(lambda: self._client.get_model_version(self.name, str(number)))
        if found is None:
            numbers = [str(version.number) for version in self.versions()]
            there = f"there are {', '.join(numbers)}" if numbers else "there is none yet; run the retrain DAG"
            raise ReleaseError(f"expected a version of {self.name}, received {number}; {there}")
        return _version(found)

    def find(self, tag: str, value: str) -> Version | None:
        """The newest version with this tag; None where there is none."""
        return next((version for version in self.versions() if version.tags.get(tag) == value), None)

    def alias(self, alias: str) -> int | None:
        """Number of the version that the alias points to; None where it points nowhere.

        Asked by the alias itself: a search may answer versions with their aliases left out (mlflow#16734).
        """
        with translated(f"reading alias {alias}"):
            found = unless_absent(lambda: self._client.get_model_version_by_alias(self.name, alias))
        return None if found is None else int(found.version)

    def at(self, alias: str) -> Version | None:
        """The version that the alias points to; None where it points nowhere."""
        number = self.alias(alias)
        return None if number is None else self.version(number)

    def move_alias(self, alias: str, number: int) -> None:
        """Point the alias to the version."""
        with translated(f"moving alias {alias}"):
            self._client.set_registered_model_alias(self.name, alias, str(number))

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of one version."""
        with translated(f"tagging version {number}"):
            for name, value in tags.items():
                self._client.set_model_version_tag(self.name, str(number), name, value)

    def download_bundle(self, version: Version, folder: Path) -> Path:
        """Fetch the version's bundle into the folder, verify it, and return where it lies.

        Raises:
            BundleError: No trusted key signed it, or a file is not the one that was signed.
        """
        fetched = self._download(version, BUNDLE_PATH, folder)
        verify(fetched, trusted_keys([self._settings.keys]).values())
        return fetched

    def signed_manifest(self, version: Version, folder: Path) -> Manifest:
        """The version's manifest alone, its signature verified.

        Raises:
            BundleError: No trusted key signed it.
        """
        fetched = self._download(version, f"{BUNDLE_PATH}/manifest.json", folder)
        return verify_manifest(fetched.read_bytes(), trusted_keys([self._settings.keys]).values())

    def _download(self, version: Version, path: str, folder: Path) -> Path:
        from mlflow.artifacts import download_artifacts

        folder.mkdir(parents=True, exist_ok=True)
        with as_default(self._settings), translated(f"downloading version {version.number}"):
            fetched = download_artifacts(
                artifact_uri=f"models:/{self.name}/{version.number}/{path}", dst_path=str(folder)
            )
        return Path(fetched)

    def moves(self) -> tuple[Move, ...]:
        """Every recorded move of alias `champion`, oldest first."""
        with translated("reading the history"):
            model = unless_absent(lambda: self._client.get_registered_model(self.name))
        return read_moves(model.tags.get(HISTORY_TAG)) if model is not None else ()

    def record(self, moves: tuple[Move, ...]) -> None:
        """Keep the moves of alias `champion`."""
        with translated("writing the history"):
            self._client.set_registered_model_tag(self.name, HISTORY_TAG, write_moves(moves))


def _version(entry: Any) -> Version:
    created_at = datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC)
    return Version(int(entry.version), created_at, dict(entry.tags), entry.run_id or None)
