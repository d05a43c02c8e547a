import numpy as np
import pytest

from pipelines.training.baselines.factorisation import Als, Bpr
from tests.training.baselines.small_field import asking, known, own, sequences

TWO_TASTES = sequences(*[[0, 1, 2]] * 6, *[[3, 4, 5]] * 6, [0, 1], [3, 4])
"""Items 0 to 2 go together, and 3 to 5; user 12 took 0 and 1, user 13 took 3 and 4, item 6 nobody."""


def test_als_folds_a_user_in_by_the_closed_form():
    model = Als.fit(known(TWO_TASTES, 7), factors=3, alpha=10.0, regularization=0.5)
    items = model.model.item_factors.astype(np.float64)
    confidence = np.zeros(7)
    confidence[[0, 4]] = 10 * np.log(2)
    weights = np.where(confidence > 0, confidence, 1)
    left = items.T @ (weights[:, None] * items) + 0.5 * np.eye(3)
    vector = np.linalg.solve(left, items.T @ confidence)
    np.testing.assert_allclose(model.scores(asking([0, 4]))[0], items @ vector, rtol=1e-3, atol=1e-4)


def test_als_finds_what_goes_together_for_users_it_never_met():
    scores = Als.fit(known(TWO_TASTES, 7), factors=4).scores(asking([0, 1], [3], []))
    assert scores[0, 2] > 0.5 > scores[0, 3:].max()
    assert scores[1, [4, 5]].min() > scores[1, [0, 1, 2, 6]].max()
    assert scores[2].tolist() == [0] * 7


def test_bpr_finds_what_goes_together_for_users_known_and_new():
    model = Bpr.fit(known(TWO_TASTES, 7), factors=4, iterations=300)
    scores = model.scores(own(TWO_TASTES, 12, 13))
    assert scores[0, 2] > scores[0, 3:].max()
    assert scores[1, 5] > scores[1, [0, 1, 2, 6]].max()
    scores = model.scores(asking([0, 1], [3, 4], []))
    assert scores[0, 2] > scores[0, 3:].max()
    assert scores[1, 5] > scores[1, [0, 1, 2, 6]].max()
    assert scores[2].tolist() == [0] * 7


def test_bpr_scores_lie_between_zero_and_one():
    scores = Bpr.fit(known(TWO_TASTES, 7), factors=4).scores(own(TWO_TASTES, 0, 6))
    assert scores.max(axis=1).tolist() == [1, 1]
    assert scores.min() >= 0


@pytest.mark.parametrize("model", [Als, Bpr])
def test_two_fits_with_one_seed_are_the_same(model: type[Als] | type[Bpr]):
    first, second = (model.fit(known(TWO_TASTES, 7), factors=4).scores(asking([0])) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_users_of_the_shop_without_events_are_folded_in():
    model = Bpr.fit(known(TWO_TASTES, 7, n_users=20), factors=4)
    np.testing.assert_array_equal(
        model.scores(asking([0], users=[19])), model.scores(asking([0], users=[-1]))
    )
