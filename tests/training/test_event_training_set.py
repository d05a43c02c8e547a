"""A trial of a backtest as material to train on: what each stage tells, counted by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.training.config import TrainingConfig
from pipelines.training.data.histories import Histories
from pipelines.training.data.model_split import EvaluationPoint, LabelledPoint, ModelSplit
from pipelines.training.data.training_data import VALIDATION
from pipelines.training.event_training_set import ITEM_FEATURES, TEST, EventTrainingSet, users_of
from serving.bundle import Bundle
from tests.training.small_trial import DAY_S, catalogue, interactions, wanted

# User 0 takes items 0, 1, 0 on days 0, 10, 39; user 1 item 1 twice, on days 20 and 38.
LEARNING = interactions(
    [(0, 0, 0), (0, 1, 10 * DAY_S), (0, 0, 39 * DAY_S), (1, 1, 20 * DAY_S), (1, 1, 38 * DAY_S)],
    types=[1, 2, 1, 1, 2],
)
AT_S = 40 * DAY_S


def stage_of(users: list[int], at_s: int, taken: list[list[int]], viewed: list[list[int]]) -> LabelledPoint:
    histories = Histories.of(LEARNING, np.array(users), np.full(len(users), at_s))
    return LabelledPoint(LEARNING, histories, wanted(taken), {"view": wanted(viewed)})


@pytest.fixture
def material(tmp_path: Path) -> EventTrainingSet:
    trial = ModelSplit(
        catalogue=catalogue(4),
        n_users=2,
        event_types=("view", "purchase"),
        target_types=("purchase",),
        learning=LEARNING,
        ranking=(stage_of([1, 0], AT_S, [[2], [1, 3]], [[], [0, 2]]),),
        validation=stage_of([0], 11 * DAY_S, [[2]], [[]]),
        repeats=False,
        seed=0,
    )
    # Three ask at the test: user 1, somebody never met, and user 0 a day later.
    histories = Histories.of(LEARNING, np.array([1, 7, 0]), np.array([AT_S, AT_S, AT_S + DAY_S]))
    config = TrainingConfig.of({"history_length": 2, "candidates": 10, "retrieval": {"history_length": 2}})
    return EventTrainingSet(trial, tmp_path / "bundle", config, EvaluationPoint(LEARNING, histories))


def test_requests_are_numbered_by_their_place_and_see_their_last_events(material: EventTrainingSet):
    requests = material.requests("ranking-0")
    assert requests.rows.tolist() == [0, 1]
    assert requests.users.history_items.tolist() == [[1, 1], [0, 1]]
    assert requests.users.history_types.tolist() == [[2, 1], [1, 2]]
    assert requests.users.history_ages_s.tolist() == [[2 * DAY_S, 20 * DAY_S], [DAY_S, 30 * DAY_S]]
    assert (requests.users.features.shape, requests.users.profile.shape) == ((2, 0), (2, 0))
    # At validation, on day 11, the purchase of day 39 is not known.
    assert material.requests(VALIDATION).users.history_items.tolist() == [[1, 0]]
    assert material.requests(TEST).users.history_items.tolist() == [[1, 1], [-1, -1], [0, 1]]
    assert material.requests(TEST).users.history_types.tolist() == [[2, 1], [0, 0], [1, 2]]
    assert material.n_users == 3


def test_a_source_by_setting_is_in_the_spec_with_its_array(material: EventTrainingSet):
    config = material.config.model_copy(update={"sources": ("popularity", "trending")})
    rising = replace(material, config=config)
    rising.begin()
    bundle = Bundle.open(rising.workdir)
    assert bundle.spec.sources == ("popularity", "trending")
    # On day 40: item 0 is viewed once in the last week and not in the four before it, weighing .1. Item 1 is
    # bought once in the last week, and bought on day 10 and viewed on day 20, so that 1.1 / 4 = .275 were
    # expected: (1 - .275) / sqrt(.275 + 1) = .642.
    np.testing.assert_allclose(bundle.trending, [0.1, 0.642, 0, 0], atol=5e-4)


def test_users_of_a_shop_without_events_have_no_history():
    users = users_of(Histories.of(interactions([]), np.array([3]), np.array([AT_S])), length=2)
    assert users.history_items.tolist() == [[-1, -1]]
    assert users.history_types.tolist() == users.history_ages_s.tolist() == [[0, 0]]


def test_labels_are_keys_of_requests_and_the_test_has_none(material: EventTrainingSet):
    assert material.labels("ranking-0", ("purchase",)).tolist() == [0 * 4 + 2, 1 * 4 + 1, 1 * 4 + 3]
    assert material.labels(VALIDATION, ("purchase",)).tolist() == [2]
    assert material.labels("ranking-0", ("view",)).tolist() == [1 * 4 + 0, 1 * 4 + 2]
    assert material.labels(VALIDATION, ("view",)).tolist() == []
    assert len(material.ratings(VALIDATION)) == 0
    with pytest.raises(KeyError, match="test has no labels"):
        material.labels(TEST, ("purchase",))


def test_items_are_counted_up_to_the_stage(material: EventTrainingSet):
    assert ITEM_FEATURES[:4] == ("events", "events_30d", "users", "age_days")
    features = material.item_features("ranking-0")
    # Item 0: twice, once within thirty days, by one user, first forty days ago; item 1 three times, by both.
    assert features[:2, :4].tolist() == [[2, 1, 1, 40], [3, 3, 2, 30]]
    np.testing.assert_array_equal(features[2, :4], [0, 0, 0, np.nan])
    assert material.at_s("ranking-0") == AT_S
    # The test's last request is a day later, and so are ages.
    assert material.at_s(TEST) == AT_S + DAY_S
    assert material.item_features(TEST)[0, :4].tolist() == [2, 1, 1, 41]


def test_items_are_counted_by_where_they_stand_in_histories(material: EventTrainingSet):
    assert ITEM_FEATURES[4:8] == ("latest_50", "latest_80", "earliest_50", "earliest_80")
    known = interactions([(0, 0, 0), (0, 1, 1), (0, 1, 2), (2, 1, 0), (2, 2, 1)])
    asked = Histories.of(known, np.array([0]), np.array([3]))
    features = replace(material, test=EvaluationPoint(known, asked)).item_features(TEST)[:, 4:8]
    # Item 0 is the first of three, item 1 the others of them and the first of two, item 2 the last of these.
    np.testing.assert_allclose(features[0], [0.25, 0.64, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(
        features[1], [0.5 + 1 + 0.5, 0.8 + 1 + 0.8, 0.75 + 1, 0.8 + 0.64 + 1], rtol=1e-6
    )
    np.testing.assert_allclose(features[2], [1, 1, 0.5, 0.8], rtol=1e-6)
    assert features[3].tolist() == [0, 0, 0, 0]


def test_each_fold_is_told_what_the_others_took_next_and_never_what_it_took(material: EventTrainingSet):
    assert ITEM_FEATURES[8:] == ("taken_next",)
    folds = [stage_of([user], AT_S, [taken], [[]]) for user, taken in ((0, [1, 3]), (1, [1]), (2, [2]))]
    trial = replace(material.trial, ranking=tuple(folds), folds=True)
    told = {
        name: replace(material, trial=trial).item_features(name)[:, 8]
        for name in ("ranking-0", "ranking-1", VALIDATION, TEST)
    }
    # Histories hold item 0 twice and item 1 three times, so that each of T taken counts 5 / T there.
    np.testing.assert_allclose(told["ranking-0"], [10 / 12, 12.5 / 13, 12.5 / 10, 1], rtol=1e-6)
    third = 5 / 3
    np.testing.assert_allclose(
        told["ranking-1"], [10 / 12, (10 + third) / 13, (10 + third) / 10, (10 + third) / 10], rtol=1e-6
    )
    # Validation is told what all folds took, the test what was taken at validation as well (item 2).
    np.testing.assert_allclose(told[VALIDATION], [10 / 12, 12.5 / 13, 11.25 / 10, 11.25 / 10], rtol=1e-6)
    np.testing.assert_allclose(told[TEST], [10 / 12, 12 / 13, 12 / 10, 11 / 10], rtol=1e-6)


def test_stages_of_other_instants_tell_nothing_of_what_is_taken_next(material: EventTrainingSet):
    # What a later stage took is the future of an earlier one.
    assert np.isnan(material.item_features(TEST)[:, 8]).all()
    assert np.isnan(material.item_features("ranking-0")[:, 8]).all()


def test_nothing_is_known_of_users_but_their_events(material: EventTrainingSet):
    states = material.user_states()
    assert (len(states.rows), states.features.shape, states.profile.shape) == (0, (0, 0), (0, 0))


def test_a_bundle_begins_with_what_training_does_not_change(material: EventTrainingSet):
    material.begin()
    bundle = Bundle.open(material.workdir)
    assert bundle.items["item_id"].to_pylist() == ["i000", "i001", "i002", "i003"]
    assert bundle.spec.repeats is False
    assert (bundle.spec.history_length, bundle.spec.history_length_retrieval) == (2, 2)
    assert bundle.spec.event_types == ("view", "purchase")
    assert bundle.spec.target_types == ("purchase",)
    assert bundle.spec.item_features == ITEM_FEATURES
    # Item 0 has two events, item 1 three: only the latter reaches the three that a vector of its own takes.
    assert bundle.item_codes[:, 0].tolist() == [0, 1, 0, 0]
    assert bundle.spec.item_vocabulary_size == 1
    np.testing.assert_array_equal(bundle.item_features, material.item_features("ranking-0"))
    # After item 0 came item 1, after item 1 item 0; an item's own return is no rule.
    assert bundle.followers[0, 0] == 1
    assert bundle.followers[1, 0] == 0
    assert (bundle.followers[2:] == -1).all()
    assert material.ranking_names == ["ranking-0"]


def test_who_does_much_is_damped_in_what_a_bundle_says_is_popular(tmp_path: Path):
    # User 0 buys 16 times, which count 16 ** 0.75 = 8 together: item 0 has 14 of them, item 1 two. Users 1
    # and 2 buy item 2 once each, which counts whole.
    events = interactions([*[(0, 0, AT_S)] * 14, (0, 1, AT_S), (0, 1, AT_S), (1, 2, AT_S), (2, 2, AT_S)])
    histories = Histories.of(events, np.array([0]), np.array([AT_S]))
    stage = LabelledPoint(events, histories, wanted([[2]]))
    trial = ModelSplit(
        catalogue(4), 3, ("purchase",), ("purchase",), events, (stage,), stage, repeats=True, seed=0
    )
    material = EventTrainingSet(trial, tmp_path / "bundle", TrainingConfig.of({}))
    material.begin()
    bundle = Bundle.open(material.workdir)
    np.testing.assert_allclose(bundle.popularity, [7.0, 1.0, 2.0, 0.0])
    assert bundle.popularity_order.tolist() == [0, 2, 1, 3]
