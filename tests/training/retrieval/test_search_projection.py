"""Search vectors: written where they find the same items as the whole vectors do, and only there."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.training.config import TrainingConfig
from pipelines.training.event_training_set import EventTrainingSet
from pipelines.training.retrieval import search_projection
from pipelines.training.retrieval.search_projection import found_share, principal_directions, write_search
from serving.bundle import Bundle, write_array
from serving.engine.candidates import nearest, similarities, top_columns
from tests.training.small_trial import N_ITEMS, circle_trial

CANDIDATES = 10
QUERIES = np.random.default_rng(1).normal(size=(20, 32)).astype(np.float32)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of 120 items, where four directions are to find the nearest 10 among 40."""
    monkeypatch.setattr(search_projection, "DIRECTIONS", 4)
    monkeypatch.setattr(search_projection, "WORTHWHILE", N_ITEMS * 32)
    trial, test = circle_trial()
    config = TrainingConfig.of({"candidates": CANDIDATES})
    EventTrainingSet(trial, tmp_path / "bundle", config, test).begin()
    return tmp_path / "bundle"


def with_vectors(workdir: Path, vectors: np.ndarray) -> Bundle:
    """The bundle with these item vectors."""
    write_array(workdir, "item_vectors", vectors)
    return Bundle.open(workdir)


def test_vectors_of_few_directions_are_searched_by_these(workdir: Path):
    rng = np.random.default_rng(0)
    bundle = with_vectors(workdir, rng.normal(size=(N_ITEMS, 4)) @ rng.normal(size=(4, 32)))
    assert write_search(bundle, QUERIES) == 1
    quick = Bundle.open(workdir)
    assert quick.search_vectors.shape == (N_ITEMS, 4)
    whole = top_columns(similarities(quick, QUERIES), CANDIDATES)
    for query, expected in zip(QUERIES, whole, strict=True):
        found = nearest(quick, query[None, :], 1, CANDIDATES, None)
        assert found.items[0].tolist() == expected.tolist()
        np.testing.assert_allclose(found.scores[0], quick.item_vectors[expected] @ query, rtol=1e-4)


def test_vectors_that_go_everywhere_are_searched_whole(workdir: Path):
    bundle = with_vectors(workdir, np.random.default_rng(0).normal(size=(N_ITEMS, 32)))
    share = write_search(bundle, QUERIES)
    assert share is not None
    assert 0.25 < share < 0.9
    again = Bundle.open(workdir)
    assert again.search_vectors.shape == (N_ITEMS, 0)
    assert found_share(again, QUERIES) == 1


@pytest.mark.parametrize("case", ["nobody to compare by", "few items", "short vectors"])
def test_where_it_does_not_pay_nothing_is_written_and_what_was_there_goes(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, case: str
):
    rng = np.random.default_rng(0)
    write_search(with_vectors(workdir, rng.normal(size=(N_ITEMS, 4)) @ rng.normal(size=(4, 32))), QUERIES)
    bundle, queries = Bundle.open(workdir), QUERIES
    if case == "nobody to compare by":
        queries = QUERIES[:0]
    elif case == "few items":
        monkeypatch.setattr(search_projection, "WORTHWHILE", N_ITEMS * 32 + 1)
    else:
        monkeypatch.setattr(search_projection, "DIRECTIONS", 17)
    assert write_search(bundle, queries) is None
    assert Bundle.open(workdir).search_vectors.shape == (N_ITEMS, 0)


def test_principal_directions_are_those_of_most():
    # They have most along the second axis, then along the third, least along the first.
    vectors = np.array([[0, 3, 0], [0, 0, 1], [0, -3, 0], [0.5, 0, 0]], np.float32)
    directions = principal_directions(vectors, 2)
    np.testing.assert_allclose(np.abs(directions), [[0, 0], [1, 0], [0, 1]], atol=1e-6)
