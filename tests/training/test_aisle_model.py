"""Aisle's own recommender on a small trial, from events to lists."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.training.aisle_model import AisleModel, fit_default
from pipelines.training.config import TrainingConfig
from pipelines.training.data.histories import Histories
from pipelines.training.data.model_split import EvaluationPoint
from pipelines.training.event_training_set import EventTrainingSet
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.train import begin
from serving.bundle import Bundle
from tests.training.small_trial import N_EVENTS, N_ITEMS, N_USERS, circle_trial

CHOICES: dict[str, Any] = {
    "history_length": 16,
    "candidates": 40,
    "retrieval": {
        "ensemble_mixers": ["attention", "convolution"],
        "history_length": 16,
        "embedding_dim": 16,
        "num_layers": 1,
        "batch_size": 4,
        "num_negatives": 32,
        "max_steps": 150,
        "min_steps": 150,
        "num_validations": 2,
        "learning_rate": 0.01,
    },
    "ranking": {
        "hidden": [16],
        "cross_rank": 8,
        "epochs": 6,
        "min_steps": 1,
        "batch_size": 16,
        "learning_rate": 0.01,
    },
}
EVERYBODY = np.arange(N_USERS)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> AisleModel:
    return fit_default(*circle_trial(), tmp_path_factory.mktemp("default") / "bundle", CHOICES)


@pytest.mark.parametrize(("place", "name"), [(0, "neighbours"), (1, "followers")])
def test_models_of_different_kinds_know_items_by_different_related_ones(
    place: int, name: str, tmp_path: Path
):
    trial, test = circle_trial()
    choices = {"retrieval": {"ensemble_mixers": ["attention", "mingru"], "embedding_dim": 8, "neighbours": 3}}
    material = EventTrainingSet(trial, tmp_path / "bundle", TrainingConfig.of(choices), test)
    material.begin()
    bundle = Bundle.open(material.workdir)
    model, _ = begin(material, bundle, PackedSequences.of(material.learning), place)
    related = np.array(getattr(bundle, name)[:, :3])
    codes = np.where(related >= 0, bundle.item_codes[related, 0], 0)
    np.testing.assert_array_equal(model.item.related.numpy(), codes)
    assert not np.array_equal(bundle.neighbours[:, :3], bundle.followers[:, :3])


def test_lists_hold_each_item_once_and_nothing_that_the_user_had(fitted: AisleModel):
    lists = fitted.lists(10, EVERYBODY)
    assert lists.shape == (N_USERS, 10)
    assert ((lists >= 0) & (lists < N_ITEMS)).all()
    assert all(len(set(row.tolist())) == 10 for row in lists)
    had = fitted.test.histories.items.reshape(N_USERS, N_EVENTS - 1)
    assert not (lists[:, :, None] == had[:, None, :]).any()


def test_what_comes_next_is_found(fitted: AisleModel):
    """After item i comes i + 1 in four of five steps; chance puts it among ten of 120 once in twelve."""
    following = (fitted.test.histories.items[N_EVENTS - 2 :: N_EVENTS - 1] + 1) % N_ITEMS
    found = (fitted.lists(10, EVERYBODY) == following[:, None]).any(axis=1)
    assert found.mean() > 0.5


def test_a_request_is_answered_alone_as_among_others_and_lists_grow_at_the_end(fitted: AisleModel):
    together = fitted.lists(10, EVERYBODY)
    chosen = np.array([7, 80, 3])
    np.testing.assert_array_equal(fitted.lists(10, chosen), together[chosen])
    np.testing.assert_array_equal(fitted.lists(4, EVERYBODY), together[:, :4])
    longest = fitted.lists(200, chosen)
    assert longest.shape == (3, 200)
    assert (longest[:, fitted.bundle.spec.candidates :] == -1).all()


def test_what_was_chosen_is_told(fitted: AisleModel):
    assert fitted.seconds > 0
    assert 0 < fitted.chosen["validation"]["recall_at_100"] <= 1
    assert set(fitted.chosen["validation"]) >= {"ndcg_at_10", "next_items_recall", "two_tower_recall"}
    curve = fitted.chosen["retrieval_curve"]
    assert (
        len(curve["loss"])
        == len(CHOICES["retrieval"]["ensemble_mixers"]) * CHOICES["retrieval"]["num_validations"]
    )
    assert curve["loss"][-1] < curve["loss"][0]


def test_the_same_seed_gives_the_same_bundle_and_lists(fitted: AisleModel, tmp_path: Path):
    trial, test = circle_trial()
    again = fit_default(trial, test, tmp_path / "bundle", CHOICES)
    np.testing.assert_array_equal(again.lists(10, EVERYBODY), fitted.lists(10, EVERYBODY))
    one, other = (Bundle.open(each.bundle.directory) for each in (fitted, again))
    np.testing.assert_array_equal(one.item_vectors, other.item_vectors)
    np.testing.assert_array_equal(one.followers, other.followers)


def test_of_whom_nothing_is_known_gets_what_is_popular(fitted: AisleModel):
    none = np.zeros(0, np.int32)
    nobody = Histories(np.array([-1]), np.array([10**9]), np.array([0, 0]), none, none, np.zeros(0, np.int64))
    asked = replace(fitted, test=EvaluationPoint(fitted.test.known, nobody))
    popularity = fitted.bundle.popularity
    listed = asked.lists(10, np.array([0]))[0]
    assert popularity[listed].tolist() == sorted(popularity.tolist(), reverse=True)[:10]
