import numpy as np
import pytest

from pipelines.errors import TrainingError
from pipelines.training.baselines.ease import Ease
from tests.training.baselines.small_field import asking, known, sequences


def test_effects_of_two_items_equal_the_closed_form():
    # X'X + I = [[4, 2], [2, 3]], its inverse [[3, -2], [-2, 4]] / 8.
    model = Ease.fit(known(sequences([0, 2], [0, 2], [0]), 3), regularization=1.0)
    np.testing.assert_allclose(
        model.scores(asking([0], [2], [0, 2], [1], [])),
        [[0, 0, 0.5], [2 / 3, 0, 0], [2 / 3, 0, 0.5], [0, 0, 0], [0, 0, 0]],
        rtol=1e-5,
        atol=1e-7,
    )


def test_effects_equal_a_dense_computation():
    rng = np.random.default_rng(3)
    taken = (rng.random((50, 700)) < 0.05).astype(float)
    inverse = np.linalg.inv(taken.T @ taken + 10 * np.eye(700))
    effects = -inverse / np.diagonal(inverse)
    np.fill_diagonal(effects, 0)
    events = sequences(*[np.flatnonzero(row).tolist() for row in taken])
    scores = Ease.fit(known(events, 700), regularization=10.0).scores(
        asking(np.flatnonzero(taken[0]).tolist())
    )
    np.testing.assert_allclose(scores[0], taken[0] @ effects, atol=1e-4)


def test_older_items_count_less_with_decay():
    model = Ease.fit(known(sequences([0, 1], [0, 1], [0]), 2), regularization=1.0, place_decay=0.5)
    np.testing.assert_allclose(model.scores(asking([0, 1])), [[2 / 3, 0.25]], rtol=1e-5)


def test_too_many_items_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.training.baselines.ease.MOST_ITEMS", 2)
    assert Ease.fit(known(sequences([0, 1]), 9)).items.tolist() == [0, 1]
    with pytest.raises(TrainingError, match="expected at most 2 items with events for EASE, received 3"):
        Ease.fit(known(sequences([0, 1, 2]), 9))
