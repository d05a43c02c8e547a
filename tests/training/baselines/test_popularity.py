import numpy as np
import pytest

from pipelines.training.baselines.popularity import Popularity, popularity_at
from tests.training.baselines.small_field import DAY, ONE_TYPE, asking, interactions, known


def test_popularity_halves_with_every_half_life():
    # Item 0: two events 60 days old = 2 * 1/4; item 1: one event 30 days old = 1/2; item 2: one of today = 1.
    events = interactions((0, 0, 0), (1, 0, 0), (0, 1, 30), (1, 2, 60))
    values = popularity_at(events, n_items=4, at_s=60 * DAY, weights=ONE_TYPE, half_life_days=30, damping=0)
    np.testing.assert_allclose(values, [0.5, 0.5, 1.0, 0.0])


def test_everybody_gets_the_same_and_the_newest_event_counts_whole():
    events = interactions((0, 0, 0), (1, 0, 0), (0, 1, 30), (1, 2, 60))
    scores = Popularity.fit(known(events, 4), half_life_days=30).scores(asking([0], []))
    np.testing.assert_allclose(scores, [[0.5, 0.5, 1.0, 0.0]] * 2)


def test_without_decay_popularity_is_the_count():
    events = interactions((0, 0, 0), (1, 0, 400), (0, 1, 900))
    scores = Popularity.fit(known(events, 2), half_life_days=None).scores(asking([]))
    assert scores.tolist() == [[2.0, 1.0]]


def test_a_view_counts_less_than_a_purchase():
    events = interactions((0, 0, 1), (1, 1, 1), types=[1, 2])
    scores = Popularity.fit(known(events, 2, weights=np.array([0.0, 1.0, 0.1]))).scores(asking([]))
    assert scores[0] == pytest.approx([1.0, 0.1])


def test_who_did_sixteen_times_as_much_counts_eight_times_as_much():
    # User 0 has 16 events, each of 1 / 16 ** 0.25 = 1/2: 14 of item 0 = 7, 2 of item 1 = 1. Users 1 and 2
    # have one event each, of 1: item 2 = 2. By events alone item 1 and item 2 would be equally popular.
    events = interactions(*[(0, 0, 9)] * 14, (0, 1, 9), (0, 1, 9), (1, 2, 9), (2, 2, 9))
    values = popularity_at(events, n_items=3, at_s=9 * DAY, weights=ONE_TYPE)
    np.testing.assert_allclose(values, [7.0, 1.0, 2.0])


def test_what_is_damped_is_what_is_left_of_a_user_by_type_and_age():
    # User 0: a view of now = 1/16, alone: (1/16) ** 0.75 = 1/8. User 1: a purchase of 120 days ago with a
    # half-life of 30 = 1/16: 1/8 too. User 2: a purchase of now = 1.
    events = interactions((0, 0, 120), (1, 1, 0), (2, 2, 120), types=[1, 2, 2])
    weights = np.array([0.0, 1 / 16, 1.0])
    values = popularity_at(events, n_items=3, at_s=120 * DAY, weights=weights, damping=0.25)
    np.testing.assert_allclose(values, [0.125, 0.125, 1.0])


def test_damped_whole_every_user_counts_the_same():
    events = interactions((0, 0, 9), (0, 1, 9), (0, 1, 9), (0, 1, 9), (1, 2, 3))
    scores = Popularity.fit(known(events, 3), half_life_days=None, damping=1.0).scores(asking([]))
    assert scores[0].tolist() == [0.25, 0.75, 1.0]


def test_users_whose_events_count_nothing_make_nothing_popular():
    # The first user's only event is of a type without weight, the second one's is older than can be told.
    events = interactions((0, 0, 90), (1, 1, 0), (2, 2, 90), types=[1, 2, 2])
    values = popularity_at(events, 3, 90 * DAY, np.array([0.0, 0.0, 1.0]), half_life_days=0.01)
    assert values.tolist() == [0.0, 0.0, 1.0]


def test_a_shop_without_events_has_nothing_popular():
    for damping in (0.0, 0.25):
        popularity = Popularity.fit(known(interactions(), 3), damping=damping)
        assert popularity.scores(asking([1])).tolist() == [[0.0, 0.0, 0.0]]
