"""The tiny bundle; a registry with an approved release, and a serving process that follows it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from serving.bundle import Bundle
from serving.search import index
from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ServingProcess
from tests.serving.tiny_bundle import add_graphs, write_tiny_bundle


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as it is at first, made once: that takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def new_registry(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Callable[[], ModelRegistry]:
    return lambda: ModelRegistry(tmp_path_factory.mktemp("home"), empty_database=empty_database)


@pytest.fixture
def registry(new_registry: Callable[[], ModelRegistry]) -> ModelRegistry:
    """A registry of the test's own, without versions."""
    return new_registry()


@pytest.fixture(scope="session")
def shop(new_registry: Callable[[], ModelRegistry]) -> Iterator[ServingProcess]:
    """A process that serves an approved release; for tests that only ask, or act as users of their own."""
    registry = new_registry()
    registry.promote(registry.register())
    with ServingProcess(registry.home) as process:
        process.wait_for_version("1")
        yield process


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; without it a test skips on a developer's machine, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "Chromium is not installed; `apt-get install chromium` brings it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without graphs, to be read and not written."""
    return write_tiny_bundle(tmp_path_factory.mktemp("release") / "bundle")


@pytest.fixture(scope="session")
def tiny_bundle(tiny_directory: Path) -> Bundle:
    return Bundle.open(tiny_directory)


@pytest.fixture(scope="session")
def graph_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with graphs and text index, to be read and not written."""
    directory = write_tiny_bundle(tmp_path_factory.mktemp("release_with_graphs") / "bundle")
    add_graphs(directory)
    index.build(directory, pq.read_table(directory / "items.parquet"))
    return directory


@pytest.fixture(scope="session")
def graph_bundle(graph_directory: Path) -> Bundle:
    return Bundle.open(graph_directory)
