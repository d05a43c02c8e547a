"""Fixtures that several rooms share."""

from pathlib import Path

import pytest

from tests.tiny_shop import write_tiny_shop


@pytest.fixture(scope="session")
def tiny_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny shop's events, items and users, to be read and not written."""
    return write_tiny_shop(tmp_path_factory.mktemp("tiny_shop"))
