import json
from dataclasses import dataclass

import numpy as np
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.protocols import leave_one_out
from pipelines.backtest.tuning.baselines import tune
from pipelines.cli.main import main
from pipelines.errors import BacktestError
from pipelines.training.baselines import MODELS
from pipelines.training.baselines.registry import Model
from tests.backtest.folders import drawn_folder, events_table, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return drawn_folder(tmp_path_factory.mktemp("shop"), n_users=80)


@pytest.fixture(scope="module")
def trial(folder):
    dataset = read_dataset(folder)
    return leave_one_out.prepare(dataset, leave_one_out.cut(dataset)).trial


@dataclass
class Next:
    """Scores the item that is so many numbers behind the last one, in the order of ids."""

    order: np.ndarray
    step: int

    def scores(self, histories):
        place = np.empty_like(self.order)
        place[self.order] = np.arange(len(self.order))
        last = histories.items[histories.latest(1)[:, 0]]
        scores = np.zeros((len(histories), len(self.order)), np.float32)
        scores[np.arange(len(last)), self.order[(place[last] + self.step) % len(self.order)]] = 1
        return scores


def stepping(known, *, step):
    ids = np.array(known.catalogue["item_id"].to_pylist())
    return Next(np.argsort(ids), step)


@pytest.fixture
def with_stepping(monkeypatch):
    """A model whose best setting is known: the shop mostly goes on to the next item."""
    models = {**MODELS, "stepping": Model(stepping, {"step": (7, 3, 1, 20)})}
    for module in ("tuning.baselines", "tuning.search"):
        monkeypatch.setattr(f"pipelines.backtest.{module}.MODELS", models)


def test_the_best_setting_is_found_and_the_default_stands_beside_it(trial, with_stepping):
    found = tune(trial, "stepping", budget_s=60)
    assert dict(found.settings) == {"step": 1}
    assert found.worth > found.default_worth
    assert (found.all, found.tried <= 4) == (4, True)


def test_the_same_seed_tries_the_same_settings(trial):
    def tried():
        attempts = []
        found = tune(trial, "sequence_rules", budget_s=600, most_trials=8, told=attempts.append)
        return dict(found.settings), [(dict(a.settings), a.worth, a.pruned) for a in attempts]

    assert tried() == tried()


def test_no_setting_is_judged_twice_and_the_search_ends_with_the_last(trial):
    attempts = []
    found = tune(trial, "popularity", budget_s=600, most_trials=200, told=attempts.append)
    judged = [tuple(a.settings.values()) for a in attempts]
    assert len(judged) == len(set(judged)) == found.tried == found.all == 4 * 3


def test_two_trials_at_once_find_as_good_a_setting(trial, with_stepping):
    assert dict(tune(trial, "stepping", budget_s=60, jobs=2).settings) == {"step": 1}


def test_a_model_that_cannot_be_fitted_is_refused(tmp_path):
    rows = [(f"u{u}", f"i{(u + n) % 7}", "view", 60 * n + u) for u in range(20) for n in range(5)]
    dataset = read_dataset(write_folder(tmp_path, events_table(rows)))
    trial = leave_one_out.prepare(dataset, leave_one_out.cut(dataset)).trial
    with pytest.raises(BacktestError, match="received content: nothing is known"):
        tune(trial, "content", budget_s=1)


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(["tune", *[str(argument) for argument in arguments]])
    return exit_info.value.code, capsys.readouterr()


def test_the_command_tells_what_it_found_and_keeps_each_trial_as_a_child_run(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("AISLE_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    asked = ("--protocol", "leave-one-out", "--model", "popularity", "--trials", 2, "--json")
    code, captured = told(capsys, folder, *asked)
    assert code == 0, captured.err
    document = json.loads(captured.out.splitlines()[-1])
    found = document["models"]["popularity"]
    assert found["worth"] >= found["default_worth"] > 0
    from pipelines.settings import load_settings
    from pipelines.tracking import connect

    settings = load_settings()
    client = connect(settings)
    experiment = client.get_experiment_by_name(settings.experiment)
    children = client.search_runs(
        [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{document['run_id']}'"
    )
    assert len(children) == found["tried"] == 2
    assert max(run.data.metrics["ndcg_at_10"] for run in children) == pytest.approx(found["worth"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--protocol", "temporal"), "Missing option '--model'"),
        (("--protocol", "ratings", "--model", "popularity"), "'ratings' is not one of"),
        (("--protocol", "temporal", "--model", "magic"), "expected models out of"),
        (("--protocol", "temporal", "--model", "popularity", "--budget-minutes", 0), "not in the range"),
    ],
)
def test_wrong_usage_is_exit_code_2(folder, arguments, message, capsys):
    code, captured = told(capsys, folder, *arguments)
    assert code == 2
    assert message in captured.err
