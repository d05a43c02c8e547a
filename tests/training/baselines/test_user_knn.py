import numpy as np
import pytest

from pipelines.training.baselines.user_knn import UserKnn
from tests.training.baselines.small_field import asking, interactions, known, sequences

LOG2 = np.log(2)


def test_the_nearest_users_items_are_summed_by_cosine():
    # Users 0 and 1 each share one of two items with the asking one: cosine 1 / sqrt 2. User 2 shares none.
    events = sequences([0, 1], [0, 2], [3])
    scores = UserKnn.fit(known(events, 4), place_decay=1.0).scores(asking([0]))
    near = 0.5**0.5
    np.testing.assert_allclose(scores, LOG2 * np.array([[1 + 2 * near, near, near, 0]]), rtol=1e-5)


def test_pearson_takes_away_what_both_would_share_by_chance():
    # Over four items: covariance 1 - 1 * 2 / 4, variances 1 - 1 / 4 and 2 - 4 / 4.
    events = sequences([0, 1], [3])
    scores = UserKnn.fit(known(events, 4), similarity="pearson", place_decay=1.0).scores(asking([0]))
    assert scores[0, 1] == pytest.approx(LOG2 * 0.5 / 0.75**0.5)
    # Who shares no more than chance says nothing: two of four items each, one in common.
    scores = UserKnn.fit(known(events, 4), similarity="pearson").scores(asking([0, 2]))
    assert scores[0, 1] == 0


def test_only_the_nearest_users_speak_and_equally_near_ones_together():
    # User 0 shares both items, users 1 and 2 one of two each.
    events = sequences([0, 1, 2], [0, 3], [1, 4])
    scores = UserKnn.fit(known(events, 5), neighbours=1, place_decay=1.0).scores(asking([0, 1]))
    assert (scores[0] > 0).tolist() == [True, True, True, False, False]
    scores = UserKnn.fit(known(events, 5), neighbours=2, place_decay=1.0).scores(asking([0, 1]))
    assert (scores[0] > 0).all()
    assert scores[0, 3] == scores[0, 4]


def test_nobody_is_the_own_neighbour():
    events = sequences([0, 1], [2])
    scores = UserKnn.fit(known(events, 3), place_decay=1.0).scores(asking([0], [0], users=[0, -1]))
    assert scores[0].tolist() == pytest.approx([LOG2, 0, 0])
    assert scores[1, 1] > 0


def test_who_took_nothing_is_told_nothing():
    assert UserKnn.fit(known(sequences([0, 1]), 3)).scores(asking([], [2])).tolist() == [
        [0, 0, 0],
        [0, 0, pytest.approx(LOG2)],
    ]
    assert UserKnn.fit(known(interactions(), 2, n_users=1)).scores(asking([])).tolist() == [[0, 0]]


def test_a_rare_item_in_common_tells_more_with_idf():
    # Of five users, four have item 0 and one item 1; the asking one has both, users 0 and 4 share one each.
    events = sequences([0, 2], [0], [0], [0], [1, 3])
    model = UserKnn.fit(known(events, 4), weighting="idf", place_decay=1.0)
    common, rare = np.log1p(5 / 4), np.log1p(5 / 1)
    lengths = np.hypot(common, rare), np.hypot(rare, rare)
    expected = LOG2 * np.array([common**2 / lengths[0] ** 2, rare**2 / (lengths[0] * lengths[1])])
    np.testing.assert_allclose(model.scores(asking([0, 1]))[0, [2, 3]], expected, rtol=1e-5)
