"""A real MLflow registry, with bundles of the tiny shop as its versions."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from serving.bundle import APPROVAL_TAG, Approval, load_private_key, write_key_pair
from tests.serving.shop_release import write_release

MODEL = "aisle-recommender"


class ModelRegistry:
    """What the pipelines would have left in `home`: key, registry, versions.

    Args:
        home: Folder of everything.
        uri: Address of an MLflow server that keeps artifacts itself.
        empty_database: Without a server: a database of MLflow without content, to begin from.
    """

    def __init__(self, home: Path, uri: str | None = None, empty_database: Path | None = None) -> None:
        self.home = home
        artifacts = None
        if uri is None:
            database = home / "mlflow" / "mlflow.db"
            database.parent.mkdir(parents=True)
            shutil.copyfile(empty_database, database)
            uri, artifacts = f"sqlite:///{database}", str(home / "mlflow" / "artifacts")
        write_key_pair(home / "keys" / "release.key", home / "keys" / "release.pub")
        self.uri = uri
        self.client = MlflowClient(uri, uri)
        self.experiment = self.client.create_experiment("aisle", artifacts)
        self.client.create_registered_model(MODEL)

    def register(self, tags: dict[str, str] | None = None, **facts: Any) -> str:
        """Write, seal and register a release; return its version."""
        bundle = write_release(
            self.home / "work" / f"bundle-{len(self.versions())}",
            load_private_key(self.home / "keys" / "release.key"),
            **facts,
        )
        return self.register_bundle(bundle, tags)

    def register_bundle(self, bundle: Path, tags: dict[str, str] | None = None) -> str:
        run = self.client.create_run(self.experiment)
        self.client.log_artifacts(run.info.run_id, str(bundle), "model/artifacts/bundle")
        version = self.client.create_model_version(
            MODEL, f"{run.info.artifact_uri}/model", run.info.run_id, tags=tags
        )
        return str(version.version)

    def files_of(self, version: str) -> Path:
        """Where the registry keeps the bundle of a version."""
        source = self.client.get_model_version_download_uri(MODEL, version)
        return Path(source.removeprefix("file://")) / "artifacts" / "bundle"

    def promote(self, version: str) -> None:
        self.client.set_registered_model_alias(MODEL, "champion", version)

    def approve(self, version: str, kind: str, reason: str, of: str | None = None) -> None:
        """Sign an approval with the installation's key; `of` another version, to be refused."""
        digest = hashlib.sha256((self.files_of(of or version) / "manifest.json").read_bytes()).hexdigest()
        approval = Approval(kind, of or version, digest, "kim", "2024-05-02T08:00:00+00:00", reason)
        key = load_private_key(self.home / "keys" / "release.key")
        self.tag(version, APPROVAL_TAG, approval.signed(key))

    def tag(self, version: str, name: str, value: str) -> None:
        self.client.set_model_version_tag(MODEL, version, name, value)

    def versions(self) -> list[str]:
        return [found.version for found in self.client.search_model_versions(f"name='{MODEL}'")]
