"""The search for settings of `aisle`: in the minutes given, by validation, each trial a training."""

import json

import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.models.aisle import PROBED
from pipelines.backtest.models.cost_model import TrainingLength, length_that_fits, over, training_seconds
from pipelines.backtest.protocols.registry import find_cut, prepare
from pipelines.backtest.tuning.aisle import nested, space_of, tune_own
from pipelines.backtest.tuning.worker import train_own
from pipelines.cli.main import main
from pipelines.errors import BacktestError, ProcessError
from pipelines.runtime import Limits, run_isolated
from pipelines.training.config import BUDGETS, TrainingConfig
from tests.backtest.folders import drawn_folder

CONFIG = BacktestConfig(protocol="leave-one-out", models=("aisle",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return drawn_folder(tmp_path_factory.mktemp("shop"), n_users=80)


@pytest.fixture(scope="module")
def trial(folder):
    dataset = read_dataset(folder)
    return prepare(dataset, find_cut(dataset, CONFIG), CONFIG).trial


class Trainings:
    """Stands in for the processes of the trials: the worth is known, and time passes on its own clock."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked: list[dict] = []
        self.limits: list[float] = []
        self.seconds, self.now = seconds, 0.0

    def __call__(self, function, limits: Limits, **arguments: object) -> dict:
        assert function is train_own
        limit_s = limits.seconds
        json.dumps(arguments)
        TrainingConfig.of(arguments["choices"])
        self.asked.append(arguments["choices"])
        self.limits.append(limit_s)
        self.now += min(self.seconds, limit_s)
        if self.seconds > limit_s:
            raise ProcessError("ran past its limit")
        worth = arguments["choices"]["retrieval"]["dropout"]
        return {"worth": worth, "pruned": False, "seconds": self.seconds}


def search(folder, trial, run, **asked):
    given = {"budget_s": 1e6, "most_trials": 6, "run": run, "clock": lambda: run.now, **asked}
    return tune_own(folder, CONFIG, trial, **given)


@pytest.fixture
def five_minutes(monkeypatch):
    """Any training is said to take five minutes."""
    monkeypatch.setattr("pipelines.backtest.tuning.aisle.training_seconds", lambda *_: 300.0)
    length = TrainingLength("full", {}, 300.0)
    monkeypatch.setattr("pipelines.backtest.tuning.aisle.length_that_fits", lambda *_: length)


def test_the_first_trial_has_the_defaults_and_the_best_is_found(folder, trial):
    trainings = Trainings()
    found = search(folder, trial, trainings, most_trials=15)
    assert TrainingConfig.of(trainings.asked[0]) == TrainingConfig()
    assert found.training_budget == "full"
    assert found.default_worth == TrainingConfig().retrieval.dropout
    # Worth is the dropout, of which .65 is the largest that is tried.
    assert found.worth == 0.65 == found.settings["retrieval"]["dropout"]
    assert found.tried == len(trainings.asked) == 15
    assert len({json.dumps(choices, sort_keys=True) for choices in trainings.asked}) == 15


def test_the_same_seed_tries_the_same_settings(folder, trial):
    first, second = Trainings(), Trainings()
    assert search(folder, trial, first).settings == search(folder, trial, second).settings
    assert first.asked == second.asked


def test_two_at_once_try_no_settings_twice(folder, trial):
    trainings = Trainings()
    assert search(folder, trial, trainings, jobs=2).tried == 6
    assert len({json.dumps(choices, sort_keys=True) for choices in trainings.asked}) == 6


def test_a_trial_that_would_not_end_in_time_is_not_begun(folder, trial, five_minutes):
    # What was told beforehand is half of it; since the first one has ended, each is expected to take ten.
    trainings = Trainings(seconds=600)
    found = search(folder, trial, trainings, budget_s=3599, most_trials=None)
    assert found.tried == len(trainings.asked) == 5
    assert found.seconds == 3000
    assert trainings.limits == [3599, 2999, 2399, 1799, 1199]


def test_a_training_that_runs_into_the_end_is_stopped_there(folder, trial, five_minutes):
    trainings = Trainings(seconds=4000)
    with pytest.raises(BacktestError, match="training with the defaults to end within 60 minutes"):
        search(folder, trial, trainings, budget_s=3600)
    assert trainings.limits == [3600]


def test_minutes_in_which_no_training_ends_are_refused(folder, trial):
    trainings = Trainings()
    with pytest.raises(BacktestError, match="minutes in which a training of `aisle` ends, about"):
        search(folder, trial, trainings, budget_s=3)
    assert trainings.asked == []


def test_the_space_lies_around_the_defaults_and_every_value_is_a_valid_one():
    space = space_of(TrainingConfig())
    for name, values in space.items():
        assert len(values) == len(set(values)) >= 3, name
        for value in values:
            TrainingConfig.of(nested({name: value}))
    own = TrainingConfig.of({"retrieval": {"dropout": 0.2, "learning_rate": 0.01}})
    assert space_of(own)["retrieval.dropout"] == (0.2, 0.35, 0.5, 0.65)
    assert space_of(own)["retrieval.learning_rate"] == (0.01, 0.005, 0.02)


def test_the_longest_training_that_fits_is_chosen_by_the_data_alone(trial):
    everything = length_that_fits(trial, None, 1e9)
    assert (everything.name, TrainingConfig.of(everything.choices)) == ("full", TrainingConfig())
    assert everything.seconds == training_seconds(trial, TrainingConfig())
    lengths = [everything]
    while (shorter := length_that_fits(trial, None, lengths[-1].seconds - 1e-6)) != lengths[-1]:
        lengths.append(shorter)
    # The small shop is trained for the least steps.
    least = TrainingConfig().retrieval.min_steps
    retrieval = {length.name: length.choices.get("retrieval", {}) for length in lengths[1:]}
    steps = {name: fields["max_steps"] for name, fields in retrieval.items()}
    kinds = {name: len(fields["ensemble_mixers"]) for name, fields in retrieval.items()}
    assert steps["three quarters"] == 0.75 * least
    assert steps["half"] == 0.5 * least
    assert steps["a quarter"] == steps["a quarter of one"] == 0.25 * least
    assert steps["demo"] == BUDGETS["demo"][0]["max_steps"]
    assert list(steps)[:4] == ["three quarters", "half", "a quarter", "a quarter of one"]
    assert [kinds[name] for name in list(steps)[2:4]] == [len(TrainingConfig().retrieval.ensemble_mixers), 1]
    assert length_that_fits(trial, None, 0) == lengths[-1]
    assert length_that_fits(trial, None, 4 * lengths[2].seconds, times=4) == lengths[2]


def test_fields_over_others_replace_single_ones():
    choices = {"seed": 3, "retrieval": {"dropout": 0.1, "max_steps": 9_000}}
    others = {"retrieval": {"max_steps": 9}, "ranking": {"epochs": 1}}
    assert over(choices, others) == {
        "seed": 3,
        "retrieval": {"dropout": 0.1, "max_steps": 9},
        "ranking": {"epochs": 1},
    }
    assert over(None, others) == others


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_real_trainings_tell_the_study_of_every_look_and_can_be_given_up(folder, trial, tmp_path):
    import optuna

    from pipelines.backtest.tuning.worker import RANKING_FROM, open_study

    looked = []

    def run(function, limits, **arguments):
        outcome = run_isolated(function, limits, **arguments)
        study = open_study(arguments["journal"], trial.seed)
        looked.append(study.trials[-1].intermediate_values)
        return outcome

    found = tune_own(folder, CONFIG, trial, budget_s=600, most_trials=1, base=PROBED, run=run)
    assert 0 < found.worth == found.default_worth <= 1
    retrieval = [value for step, value in looked[0].items() if step < RANKING_FROM]
    ranking = [value for step, value in looked[0].items() if step >= RANKING_FROM]
    assert len(retrieval) == PROBED["retrieval"]["num_validations"]
    assert 0 <= max(retrieval) <= 1 <= min(ranking) <= 2
    # The best state is kept.
    assert max(ranking) - 1 == pytest.approx(found.worth)

    # Four trials that were better by far at the first look have the next one given up there.
    study = open_study(tmp_path / "study.log", 0, begin=True)
    for _ in range(4):
        better = optuna.trial.create_trial(value=1.9, intermediate_values={0: 1.0, RANKING_FROM: 1.9})
        study.add_trial(better)
    asked = study.ask()
    arguments = {
        "folder": str(folder),
        "config": CONFIG.model_dump(mode="json"),
        "choices": dict(PROBED),
        "journal": str(tmp_path / "study.log"),
        "number": asked._trial_id,
    }
    outcome = run_isolated(train_own, Limits(300), **arguments)
    assert (outcome["worth"], outcome["pruned"]) == (None, True)


def test_the_command_knows_default_and_refuses_minutes_in_which_nothing_ends(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "tune",
                str(folder),
                "--protocol",
                "leave-one-out",
                "--model",
                "default",
                "--budget-minutes",
                "0.05",
            ]
        )
    assert ended.value.code == 1
    assert "a training of `aisle` ends" in capsys.readouterr().err
