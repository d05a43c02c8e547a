import numpy as np
import pytest

from pipelines.training.baselines.popularity import Popularity, popularity_at
from tests.training.baselines.small_field import DAY, ONE_TYPE, asking, interactions, known


def test_popularity_halves_with_every_half_life():
    # Item 0: two events 60 days old = 2 * 1/4; item 1: one event 30 days old = 1/2; item 2: one of today = 1.
    events = interactions((0, 0, 0), (1, 0, 0), (0, 1, 30), (1, 2, 60))
    values = popularity_at(events, n_items=4, at_s=60 * DAY, weights=ONE_TYPE, half_life_days=30)
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


def test_a_shop_without_events_has_nothing_popular():
    assert Popularity.fit(known(interactions(), 3)).scores(asking([1])).tolist() == [[0.0, 0.0, 0.0]]
