"""Fixtures that several rooms share."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.tiny_shop import write_tiny_shop

# A busy machine is no reason for a law to fail: time limits are pytest's.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def tiny_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny shop's events, items and users, to be read and not written."""
    return write_tiny_shop(tmp_path_factory.mktemp("tiny_shop"))
