"""The tiny bundle, written once."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving import text_index
from serving.bundle import Bundle
from tests.serving_core.tiny_bundle import add_graphs, write_tiny_bundle


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
    text_index.build(directory, pq.read_table(directory / "items.parquet"))
    return directory


@pytest.fixture(scope="session")
def graph_bundle(graph_directory: Path) -> Bundle:
    return Bundle.open(graph_directory)
