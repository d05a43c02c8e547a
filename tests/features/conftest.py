"""A home folder with the tiny shop ingested, and one with its features built, applied and materialized."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.features import store
from pipelines.features.build import build_features
from pipelines.ingest.run import ingest
from pipelines.lake import open_lake
from pipelines.settings import Settings

AS_OF = datetime(2024, 4, 20, tzinfo=UTC)
"""Some days before the tiny shop ends: there is a future that nothing may know of."""


@pytest.fixture(scope="session")
def ingested_home(tiny_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home whose lake holds the tiny shop; not to be written."""
    settings = Settings(home=tmp_path_factory.mktemp("ingested"))
    ingest(tiny_shop, settings)
    return settings


@pytest.fixture(scope="session")
def built_home(ingested_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with features as of `AS_OF`, online as well; not to be written."""
    settings = Settings(home=tmp_path_factory.mktemp("built"))
    shutil.copytree(ingested_home.lake_root, settings.lake_root)
    build_features(open_lake(settings), AS_OF)
    store.apply(settings)
    store.materialize(settings)
    return settings
