"""A home folder with the tiny shop's features, and a release trained on them, small enough for tests."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.features import store
from pipelines.features.build import build_features
from pipelines.ingest.run import ingest
from pipelines.lake import open_lake
from pipelines.settings import Settings
from pipelines.training import tasks

AS_OF = datetime(2024, 4, 25, tzinfo=UTC)
"""Some days before the tiny shop ends: there is a future that nothing may know of."""

SMALL: dict[str, Any] = {
    "history_length": 96,
    "candidates": 40,
    "retrieval": {
        "ensemble_mixers": ["attention"],
        "history_length": 16,
        "embedding_dim": 16,
        "num_layers": 1,
        "batch_size": 4,
        "num_negatives": 32,
        "max_steps": 60,
        "min_steps": 30,
        "num_validations": 2,
    },
    "ranking": {
        "requests": 2,
        "hidden": [16],
        "cross_rank": 8,
        "epochs": 6,
        "min_steps": 1,
        "batch_size": 16,
    },
}
"""Fields of the training configuration that keep the tests quick."""


@pytest.fixture(scope="session")
def featured_home(tiny_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home whose lake holds the tiny shop, with features as of `AS_OF`."""
    settings = Settings(home=tmp_path_factory.mktemp("featured"))
    ingest(tiny_shop, settings)
    build_features(open_lake(settings), AS_OF)
    store.apply(settings)
    return settings


@pytest.fixture(scope="session")
def training_set_told(
    featured_home: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Folder of a bundle whose training set is built, and what building it told."""
    workdir = tmp_path_factory.mktemp("work") / "bundle"
    return workdir, tasks.build_training_set(AS_OF, workdir, featured_home, SMALL)


@pytest.fixture(scope="session")
def trained(
    training_set_told: tuple[Path, dict[str, Any]],
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Folder of a trained bundle, and what training retrieval and ranking told."""
    workdir, _ = training_set_told
    retrieval = tasks.train_retrieval(AS_OF, workdir)
    return workdir, retrieval, tasks.train_ranking(AS_OF, workdir)
