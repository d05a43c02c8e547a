"""A registry of this room's own: MLflow on SQLite, its tables copied from one made once."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipelines.release.keys import signing_key
from pipelines.release.registry import Registry
from pipelines.settings import Settings
from pipelines.tracking import connect
from tests.serving.tiny_bundle import add_graphs, write_tiny_bundle


@pytest.fixture(scope="session")
def mlflow_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables and nothing in them; making one takes seconds."""
    settings = Settings(home=tmp_path_factory.mktemp("mlflow"))
    connect(settings).search_experiments()
    return settings.home / "mlflow" / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, mlflow_tables: Path) -> Settings:
    """Settings of an installation that has released nothing yet."""
    folder = tmp_path / "home" / "mlflow"
    folder.mkdir(parents=True)
    shutil.copy(mlflow_tables, folder / "mlflow.db")
    return Settings(home=tmp_path / "home")


@pytest.fixture
def register(settings: Settings) -> Callable[..., int]:
    """Registers a version of which only the tags matter."""

    def add(gate: str = "passed", tags: Mapping[str, str] | None = None) -> int:
        signing_key(settings.keys)
        client = connect(settings)
        registry = Registry(settings)
        if not registry.versions():
            client.create_registered_model(registry.name)
        reasons = "ndcg@10 below personal_frequency" if gate == "refused" else "beats the best baseline"
        told = {
            "gate": gate,
            "gate_reasons": reasons,
            "manifest_sha256": "0" * 64,
            **(tags or {}),
        }
        source = (settings.home / "models").as_uri()
        return int(client.create_model_version(registry.name, source, tags=told).version)

    return add


@pytest.fixture(scope="session")
def bundle_with_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle with real graphs and a text index, to be copied and not written."""
    directory = write_tiny_bundle(tmp_path_factory.mktemp("with_graphs") / "bundle")
    add_graphs(directory)
    return directory
