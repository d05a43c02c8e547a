import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import WrongUsageError
from pipelines.training.baselines import MODELS, fit_field, reason_against, refit_field
from pipelines.training.baselines.fit_data import FitData
from tests.training.baselines.small_field import asking, interactions, leave_one_out, own, sequences

PLENTY_S = 1e6

FASHION = leave_one_out(
    interactions(
        *[(user, 0, 1) for user in range(8)],
        *[(user, 1, 360 + user) for user in range(8, 12)],
        (12, 2, 1),
        (12, 1, 390),
        (13, 2, 1),
        (13, 1, 391),
    ),
    3,
)
"""Item 0 was popular long ago, item 1 is now, and it is what is wanted."""


def test_the_setting_that_is_best_on_validation_is_chosen_and_told():
    fitted = fit_field(FASHION, ["popularity"], PLENTY_S)["popularity"]
    # Item 1 stands first, and before item 0 without decay: 8 old events against 4 new ones.
    assert fitted.chosen["ndcg@10"] == 1
    assert fitted.settings == {"half_life_days": 30.0, "damping": 0.0} == fitted.chosen["settings"]
    assert (fitted.chosen["tried"], fitted.chosen["all"]) == (6, 6)


def test_a_better_setting_replaces_the_default():
    # Long ago both users of item 2 took item 1, and wanted it; lately everybody takes item 0.
    events = interactions(
        *[(user, 1, 1) for user in range(8)],
        (8, 0, 380),
        (9, 0, 380),
        (10, 2, 1),
        (10, 1, 2),
        (11, 2, 1),
        (11, 1, 2),
    )
    fitted = fit_field(leave_one_out(events, 3), ["popularity"], PLENTY_S)["popularity"]
    assert fitted.settings["half_life_days"] is None
    assert fitted.chosen["ndcg@10"] == 1
    untuned = fit_field(leave_one_out(events, 3), ["popularity"])["popularity"]
    assert untuned.chosen == {"settings": {"half_life_days": 30.0, "damping": 0.0}}


def test_without_time_the_defaults_are_taken_once():
    field = fit_field(FASHION, ["sequence_rules", "popularity"], budget_s=1e-9)
    assert list(field) == ["sequence_rules", "popularity"]
    for name, fitted in field.items():
        assert fitted.settings == MODELS[name].defaults
        assert fitted.chosen["tried"] == 1 < fitted.chosen["all"]


def test_where_a_model_has_nothing_to_say_popularity_speaks():
    field = fit_field(FASHION, ["item_knn"])
    assert list(field) == ["item_knn"]
    assert field["item_knn"].model.scores(asking([])).max() == 0
    scores = field["item_knn"].scores(asking([]))[0]
    # With a half-life of 30 days, the old item counts next to nothing beside the new one.
    assert scores[1] > scores[0] > 0


def test_two_searches_choose_the_same():
    rows = [np.random.default_rng(user).integers(0, 12, 6).tolist() for user in range(30)]
    trial = leave_one_out(sequences(*rows), 12)
    first, second = (fit_field(trial, ["item_knn", "bpr"], PLENTY_S) for _ in range(2))
    for name in first:
        assert first[name].chosen == second[name].chosen
        np.testing.assert_array_equal(
            first[name].scores(trial.validation.histories), second[name].scores(trial.validation.histories)
        )


def test_a_field_can_learn_later_events_with_the_settings_it_has():
    trial = leave_one_out(sequences([0, 1, 2], [0, 1, 2]), 4)
    field = fit_field(trial, ["sequence_rules", "personal_frequency"])
    later = sequences([0, 1, 2, 3], [0, 1, 2])
    again = refit_field(trial, field, later)
    assert list(again) == ["sequence_rules", "personal_frequency"]
    assert field["sequence_rules"].scores(asking([2]))[0, 3] == 0
    assert again["sequence_rules"].scores(asking([2]))[0, 3] > 0
    assert again["sequence_rules"].settings == field["sequence_rules"].settings
    # The padding is counted anew too.
    assert again["personal_frequency"].scores(asking([]))[0, 3] > 0


def test_models_that_do_not_fit_the_shop_are_left_out_with_a_reason(monkeypatch: pytest.MonkeyPatch):
    assert "content" not in fit_field(FASHION, ["content", "popularity"])
    assert reason_against("content", FitData.of(FASHION)) == "nothing is known of the items but their ids"
    monkeypatch.setattr("pipelines.training.baselines.registry.MOST_ITEMS", 1)
    assert fit_field(FASHION, ["ease"]) == {}
    assert "3 items have events" in str(reason_against("ease", FitData.of(FASHION)))


def test_models_that_compare_users_are_left_out_where_too_many_have_items_in_common(monkeypatch):
    # Item 0 is of four users and item 1 of two: 16 + 4 pairs of users, 5 for each of four, at most 4. There
    # are 1,024 users asked at once, and 60 bytes for a pair.
    events = sequences([0, 1], [0, 1], [0], [0])
    known = FitData.of(leave_one_out(events, 2), events)
    monkeypatch.setattr("pipelines.training.baselines.registry.MOST_BYTES", 4 * 1024 * 60)
    assert reason_against("user_knn", known) is None
    monkeypatch.setattr("pipelines.training.baselines.registry.MOST_BYTES", 4 * 1024 * 60 - 1)
    for name in ("user_knn", "vsknn", "stan"):
        assert str(reason_against(name, known)).startswith("so many of 4 users have items in common")
    assert reason_against("item_knn", known) is None


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(WrongUsageError, match=r"expected baselines out of popularity, .*received magic"):
        fit_field(FASHION, ["popularity", "magic"])


def test_every_model_by_name_can_be_fitted_and_asked():
    items = pa.table({"item_id": list("abcdef"), "title": ["red hat", "red shoe", "hat", "shoe", "x y", "y"]})
    trial = leave_one_out(sequences([0, 1, 2], [0, 1, 3], [2, 3, 4], [1, 0, 5], [5]), 6, items=items)
    field = fit_field(trial)
    assert set(field) == set(MODELS)
    for fitted in field.values():
        scores = fitted.scores(own(trial.learning, 0, 4))
        assert scores.shape == (2, 6)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert (scores.max(axis=1) > 0).all()
