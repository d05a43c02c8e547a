import numpy as np
import pytest

from pipelines.errors import TrainingError, WrongUsageError
from pipelines.training.ratings import BLEND, RATING_MODELS, Ratings, cross_validate
from pipelines.training.ratings.biases import RatingModel
from tests.training.ratings.small_ratings import ratings, tastes


class Always:
    """Predicts the same for everybody."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.full(len(users), self.value)


def plant(monkeypatch: pytest.MonkeyPatch, **models) -> None:
    monkeypatch.setattr("pipelines.training.ratings.cross_validation.RATING_MODELS", models)


def test_errors_are_measured_by_hand(monkeypatch: pytest.MonkeyPatch):
    plant(monkeypatch, three=lambda learning: Always(3.0), nine=lambda learning: Always(9.0))
    table = ratings(*[(row, 0, value) for row, value in enumerate([2.0, 4.0, 3.0, 5.0] * 30)])
    errors = cross_validate(table, folds=4)
    three, nine = errors["three"].to_json(), errors["nine"].to_json()
    # Over all folds the errors of 3 are 1, 1, 0 and 2; folds are of equal size.
    assert three["mae"] == pytest.approx(1)
    assert np.square(errors["three"].rmse).mean() == pytest.approx(6 / 4)
    # Clipped to the scale learned from, 9 is 5.
    assert nine["mae"] == pytest.approx((3 + 1 + 2 + 0) / 4)
    assert len(three["folds"]["mae"]) == len(three["folds"]["rmse"]) == 4


def test_no_model_sees_what_it_is_measured_by(monkeypatch: pytest.MonkeyPatch):
    seen: list[set[int]] = []
    asked: list[set[int]] = []

    class Spy:
        def __init__(self, learning: Ratings) -> None:
            seen.append(set(learning.users.tolist()))

        def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
            asked.append(set(users.tolist()))
            return np.zeros(len(users))

    plant(monkeypatch, spy=Spy)
    cross_validate(ratings(*[(row, 0, 1.0) for row in range(100)]), folds=5)
    assert len(seen) == len(asked) == 10
    assert all(learned.isdisjoint(tested) for learned, tested in zip(seen, asked, strict=True))
    # The second fit of each fold is measured: together the folds hold every rating once.
    assert sorted(row for tested in asked[1::2] for row in tested) == list(range(100))
    # The first one's ratings and those that the weights are chosen by lie within the fold's own.
    assert all(
        first | chosen == second
        for first, chosen, second in zip(seen[::2], asked[::2], seen[1::2], strict=True)
    )


def test_every_model_and_the_blend_beat_the_mean_on_tastes():
    table = tastes()
    told: list[str] = []
    errors = cross_validate(table, folds=2, names=["linear", "item_knn", "user_knn"], progress=told.append)
    assert list(errors) == ["linear", "item_knn", "user_knn", BLEND]
    assert max(one.to_json()["mae"] for one in errors.values()) < 1.5
    assert errors[BLEND].to_json()["mae"] < 0.5
    assert [line.split(":")[0] for line in told] == ["fold 1 of 2", "fold 2 of 2"]


def test_one_seed_gives_one_answer():
    first, second = (cross_validate(tastes(), folds=2, names=["svdpp"], seed=3) for _ in range(2))
    assert first == second


def test_too_few_ratings_and_unknown_names_are_refused():
    with pytest.raises(TrainingError, match="received 5 of 3 ratings"):
        cross_validate(ratings((0, 0, 1), (0, 1, 2), (1, 0, 3)))
    with pytest.raises(WrongUsageError, match="received magic"):
        cross_validate(tastes(), names=["biases", "magic"])
    with pytest.raises(WrongUsageError, match="received none"):
        cross_validate(tastes(), names=[])


def test_all_rating_models_answer_for_users_and_items_without_ratings():
    table = ratings(*[(row % 7, row // 7, 1.0 + row % 5) for row in range(40)], n_users=9, n_items=8)
    for fit in RATING_MODELS.values():
        model: RatingModel = fit(table)
        predicted = model.predict(np.array([8, 8, 0]), np.array([7, 0, 7]))
        assert np.isfinite(predicted).all()
        assert np.abs(predicted - 3).max() < 3
