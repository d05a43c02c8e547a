"""The field beside a release: every model that fits the shop and the budget, at one instant."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.training.baselines import MODELS, BaselineConfig, field_lists
from pipelines.training.baselines.benchmark import ALWAYS, FIELDS
from pipelines.training.data.feast_training_set import TrainingSet, training_directory

DEFAULTS = BaselineConfig(tuned=False)
USERS = [f"u{number:02d}" for number in range(40)] + ["nobody"]


@pytest.fixture(scope="module")
def workdir(training_set_told) -> Path:
    return training_set_told[0]


@pytest.fixture(scope="module")
def whole(workdir):
    return field_lists(workdir, TrainingSet.open(workdir).split.test_from, USERS, 10, DEFAULTS)


def test_every_model_that_fits_the_shop_lists_for_everybody(whole):
    assert list(whole.lists) == [*ALWAYS, *(name for name in MODELS if name not in ALWAYS)]
    assert whole.skipped == {}
    assert list(whole.seconds) == list(whole.lists)
    for name, lists in whole.lists.items():
        assert lists.shape == (len(USERS), 10)
        assert (lists >= 0).all(), name
        assert whole.chosen[name]["settings"] == MODELS[name].defaults


def test_a_user_never_met_gets_the_popular_items_from_every_model(whole):
    for name, lists in whole.lists.items():
        assert lists[-1].tolist() == whole.lists["popularity"][-1].tolist(), name


def test_without_time_only_the_cheap_ones_stay_and_the_others_say_why(workdir):
    at = TrainingSet.open(workdir).split.test_from
    found = field_lists(workdir, at, USERS, 10, BaselineConfig(budget_minutes=1e-6, tuned=False))
    assert tuple(found.lists) == ALWAYS
    assert set(found.skipped) == set(MODELS) - set(ALWAYS)
    assert all("0 s of the budget were left before it" in reason for reason in found.skipped.values())


def test_lists_that_would_take_too_long_are_not_made(workdir, monkeypatch):
    at = TrainingSet.open(workdir).split.test_from
    monkeypatch.setattr("pipelines.training.baselines.benchmark._too_late", lambda *_: None)
    found = field_lists(
        workdir, at, USERS, 10, BaselineConfig(models=("stan",), budget_minutes=1e-6, tuned=False)
    )
    assert tuple(found.lists) == ALWAYS
    assert list(found.skipped) == ["stan"]
    assert "its lists would take" in found.skipped["stan"]


def test_a_model_that_does_not_fit_the_shop_says_why(workdir, monkeypatch):
    monkeypatch.setattr("pipelines.training.baselines.registry.MOST_ITEMS", 3)
    at = TrainingSet.open(workdir).split.test_from
    found = field_lists(workdir, at, USERS[:2], 5, BaselineConfig(models=("ease",), tuned=False))
    assert tuple(found.lists) == ALWAYS
    assert "items have events, and the dense matrix is refused beyond 3" in found.skipped["ease"]


def test_nothing_from_the_instant_on_moves_a_setting_or_a_list(workdir, tmp_path):
    """Settings are chosen on the validation window, which ends where the test begins."""
    copy = tmp_path / "bundle"
    shutil.copytree(workdir, copy)
    shutil.copytree(training_directory(workdir), training_directory(copy))
    material = TrainingSet.open(copy)
    at = material.split.test_from
    arrays = dict(np.load(material.directory / "interactions.npz"))
    later = arrays["times"] >= at.timestamp()
    assert later.any()
    arrays["items"] = np.where(later, arrays["items"][::-1], arrays["items"])
    np.savez(material.directory / "interactions.npz", **arrays)
    config = BaselineConfig(models=("sequence_rules",), budget_minutes=1)
    told = [field_lists(where, at, USERS, 10, config) for where in (workdir, copy)]
    assert told[0].chosen == told[1].chosen
    for name, chosen in told[0].chosen.items():
        assert chosen["tried"] == chosen["all"] > 1
        assert 0 < chosen["ndcg@10"] < 1
        np.testing.assert_array_equal(told[0].lists[name], told[1].lists[name])


def test_a_misspelt_model_is_refused():
    with pytest.raises(ValidationError, match="received sequence_rule"):
        BaselineConfig(models=("sequence_rule",))


def test_short_trainings_stand_beside_a_small_field_with_its_defaults():
    for budget in ("demo", "short"):
        assert set(FIELDS[budget].models) - set(ALWAYS) == {"sequence_rules"}
        assert not FIELDS[budget].tuned
    assert set(FIELDS["full"].models) == set(MODELS)
