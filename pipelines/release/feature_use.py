"""Which feature services the releases that are live, or may soon be, were trained on."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import ReleaseError
from pipelines.release.registry import BUNDLE_PATH, CANDIDATE, CHAMPION, Registry, Version
from pipelines.settings import Settings
from pipelines.tracking import as_default, translated


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """What one release reads of the feature store."""

    alias: str
    """`champion` or `candidate`."""

    version: int
    """Number of the registered version."""

    services: tuple[str, ...]
    """Names of the feature services that its manifest names."""

    def __str__(self) -> str:
        return f"{self.alias} {self.version}"


def feature_use(settings: Settings) -> list[FeatureUse]:
    """Return what the champion and the candidate read; either may not be there.

    Raises:
        TrackingError: MLflow cannot be reached or refuses.
        ReleaseError: A manifest is not what it should be.
    """
    registry = Registry(settings)
    found = []
    for alias in (CHAMPION, CANDIDATE):
        version = registry.at(alias)
        if version is not None:
            found.append(FeatureUse(alias, version.number, _services(settings, registry, version)))
    return found


def _services(settings: Settings, registry: Registry, version: Version) -> tuple[str, ...]:
    from mlflow.artifacts import download_artifacts

    path = f"models:/{registry.name}/{version.number}/{BUNDLE_PATH}/manifest.json"
    with TemporaryDirectory(prefix="aisle-manifest-") as folder:
        with as_default(settings), translated(f"downloading the manifest of version {version.number}"):
            fetched = Path(download_artifacts(artifact_uri=path, dst_path=folder))
        try:
            return tuple(map(str, json.loads(fetched.read_bytes())["facts"]["feature_services"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ReleaseError(
                f"expected feature services in the manifest of version {version.number}, received {error!r}: "
                "register the release again"
            ) from error
