"""The door to MLflow: which version is champion, and its files."""

import importlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.bundle import APPROVAL_TAG
from serving.credentials import without_credentials
from serving.errors import RegistryError
from serving.features import typeguard_disabled

CHAMPION = "champion"
BUNDLE_FOLDER = "artifacts/bundle"
"""Where the bundle lies below a version's files, unless its tag `bundle_path` says otherwise."""

BUNDLE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""A path that stays below the folder that it starts in."""

TRIES = 1
"""How often MLflow's own client repeats a request; the next poll is the better repetition."""


@dataclass(frozen=True, slots=True)
class ChampionVersion:
    """The version that alias `champion` points to."""

    version: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def manifest_sha256(self) -> str | None:
        """Hash of the bundle's manifest as it was registered, or None if the version does not say."""
        return self.tags.get("manifest_sha256") or None

    @property
    def approval(self) -> str | None:
        """The signed approval as text, not verified yet; None where nobody left one."""
        return self.tags.get(APPROVAL_TAG) or None

    @property
    def bundle_folder(self) -> str:
        """Where the bundle lies below the version's files.

        Raises:
            RegistryError: Tag `bundle_path` leads out of them; anybody may have set it.
        """
        folder = self.tags.get("bundle_path") or BUNDLE_FOLDER
        if not BUNDLE_PATH.fullmatch(folder) or ".." in folder.split("/"):
            raise RegistryError(
                f"Tag bundle_path of version {self.version} was expected to be a relative path below the "
                f"version's files, such as {BUNDLE_FOLDER}, and is {folder[:80]!r}. Correct or delete it."
            )
        return folder


class Registry:
    """Reads the registered model `model_name` of the MLflow at `tracking_uri`.

    Args:
        tracking_uri: Address of the MLflow server or of its database.
        model_name: The registered model.
        timeout_s: Seconds after which a silent server counts as unreachable.
    """

    def __init__(self, tracking_uri: str, model_name: str, timeout_s: float) -> None:
        self._tracking_uri = tracking_uri
        self._model_name = model_name
        self._timeout_s = timeout_s
        self._client: Any = None
        self._opening = threading.Lock()

    def champion(self) -> ChampionVersion | None:
        """The version that alias `champion` points to; None while nobody has approved one.

        Raises:
            RegistryError: MLflow cannot be reached or refused the request.
        """
        client = self._open()
        from mlflow.exceptions import MlflowException

        try:
            version = client.get_model_version_by_alias(self._model_name, CHAMPION)
        except MlflowException as error:
            if _is_absent(error):
                return None
            raise RegistryError(self._unreachable(error)) from error
        except OSError as error:
            raise RegistryError(self._unreachable(error)) from error
        return ChampionVersion(str(version.version), dict(version.tags))

    def download(self, champion: ChampionVersion, folder: Path) -> Path:
        """Fetch the version's bundle into `folder` and return where it lies.

        Raises:
            RegistryError: MLflow cannot be reached, or the version has no bundle.
        """
        client = self._open()
        import mlflow.artifacts
        from mlflow.exceptions import MlflowException

        try:
            # Not `models:/…`: that address is resolved with a registry of the whole process, not with ours.
            files = client.get_model_version_download_uri(self._model_name, champion.version)
            fetched = mlflow.artifacts.download_artifacts(
                artifact_uri=f"{files.rstrip('/')}/{champion.bundle_folder}",
                dst_path=str(folder),
                tracking_uri=self._tracking_uri,
            )
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"The bundle of version {champion.version} of {self._model_name!r} was expected at "
                f"{champion.bundle_folder!r} of its files and could not be fetched: {_first_line(error)}. "
                "Serving tries again with the next poll."
            ) from error
        return Path(fetched)

    def _open(self) -> Any:
        with self._opening:
            if self._client is None:
                self._check_database()
                # Read by MLflow at each request; by its defaults a dead server would hang us for minutes.
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, round(self._timeout_s))))
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(TRIES))
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
                os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
                os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
                from mlflow import MlflowClient

                self._client = MlflowClient(self._tracking_uri, self._tracking_uri)
                if self._tracking_uri.startswith("http"):
                    with typeguard_disabled():
                        # The client would load its plugins, Feast among them, with its first request.
                        importlib.import_module("mlflow.tracking.request_header.registry")
            return self._client

    def _check_database(self) -> None:
        """Refuse a database that is not there: MLflow would make an empty one in its place."""
        path = self._tracking_uri.removeprefix("sqlite:///")
        if path != self._tracking_uri and not Path(path).is_file():
            raise RegistryError(
                f"MLflow's database was expected at {path}, and is not there yet. The first training run "
                "makes it; else set AISLE_SERVING_TRACKING_URI to the address of the MLflow server."
            )

    def _unreachable(self, error: Exception) -> str:
        return (
            f"MLflow at {without_credentials(self._tracking_uri)} was asked for the champion of "
            f"{self._model_name!r} and did not answer: {_first_line(error)}. Start it or correct "
            "AISLE_SERVING_TRACKING_URI; the last good release is served meanwhile."
        )


def _is_absent(error: Any) -> bool:
    """Whether MLflow says that there is no such model or alias yet."""
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or (
        error.error_code == "INVALID_PARAMETER_VALUE" and "alias" in str(error).lower()
    )


def _first_line(error: Exception) -> str:
    return without_credentials((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
