import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.ratings import cross_validate as ratings_run
from pipelines.backtest.ratings.cross_validate import (
    FOLDS,
    Folded,
    Rated,
    probe_ratings,
    ratings_of,
    run_rated,
)
from pipelines.backtest.ratings.document import describe_rated
from pipelines.backtest.run import refuse_leaks
from pipelines.cli.main import main
from pipelines.errors import BacktestError
from pipelines.runtime.console import Console
from pipelines.training.ratings import Ratings, cross_validate
from tests.backtest.folders import events_table, write_folder

MODELS = ("blend", "biases", "linear")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 users rate half of 20 items; some users are kind, some items are good."""
    random = np.random.default_rng(0)
    rows, ratings = [], []
    for user in range(40):
        for item in random.choice(20, 10, replace=False).tolist():
            rows.append((f"u{user:02d}", f"i{item:02d}", "rating", len(rows)))
            ratings.append(
                float(np.clip(round(3 + user % 3 - 1 + (item % 5 - 2) / 2 + random.normal()), 1, 5))
            )
    users = pa.table({"user_id": [f"u{n:02d}" for n in range(40)], "age": [20 + n % 3 for n in range(40)]})
    return write_folder(
        tmp_path_factory.mktemp("shop"), events_table(rows, rating=pa.array(ratings)), users=users
    )


@pytest.fixture(scope="module")
def dataset(folder):
    return read_dataset(folder)


CONFIG = BacktestConfig(protocol="ratings", models=MODELS)
QUIET = Console(quiet=True)


def test_folds_are_seeded_and_of_equal_size():
    parts = ratings_run.folds_of(103, 4)
    assert sorted(np.bincount(parts).tolist()) == [20, 20, 21, 21, 21]
    assert parts.tolist() == ratings_run.folds_of(103, 4).tolist() != ratings_run.folds_of(103, 5).tolist()


def test_errors_are_those_of_the_cross_validation_of_training(dataset):
    found = describe_rated(dataset, CONFIG, run_rated(dataset, CONFIG, QUIET))
    expected = cross_validate(ratings_of(dataset, 0), folds=FOLDS, seed=0, names=["biases", "linear"])
    for name in MODELS:
        assert found["folds_of"][name]["mae"] == pytest.approx(expected[name].mae)
        assert found["folds_of"][name]["rmse"] == pytest.approx(expected[name].rmse)


def test_figures_equal_those_worked_out_by_hand(dataset):
    # Ten ratings of 3, two in each fold: a misses each by 1, b half of them by 2.
    ratings = Ratings(
        np.arange(10), np.zeros(10, np.int64), np.full(10, 3.0), np.zeros((10, 0)), np.zeros((1, 0))
    )
    b = np.where(np.arange(10) % 2 == 0, 5.0, 3.0)
    seconds = {"a": 0.5, "b": 0.25}
    made = Rated(
        ratings=ratings,
        parts=np.arange(10) // 2,
        folds=[Folded({}, {}, seconds, seconds)] * FOLDS,
        predicted={"a": np.full(10, 4.0), "b": b},
        known_of_user=np.array([0] * 3 + [1] * 7),
        known_of_item=np.full(10, 60),
    )
    found = describe_rated(dataset, CONFIG.model_copy(update={"models": ("a", "b")}), made)
    assert found["model"] == {"mae": 1, "rmse": 1}
    assert found["baselines"]["b"] == {"mae": 1, "rmse": pytest.approx(2**0.5)}
    assert found["folds_of"]["b"]["rmse"] == pytest.approx([2**0.5] * 5)
    assert found["differences"]["b"]["mae"]["mean"] == 0
    low, high = found["differences"]["b"]["mae"]["ci95"]
    assert low < 0 < high
    assert found["train_seconds"] == 2.5
    assert found["baseline_seconds"]["b"] == {"train": 1.25, "score": 1.25}
    # Cold users wrote the first three ratings, of which b misses two by 2.
    assert found["slices"]["user:cold"]["ratings"] == 3
    assert found["slices"]["user:cold"]["baselines"]["b"] == pytest.approx(4 / 3)
    assert found["slices"]["item_ratings:50-199"]["ratings"] == 10
    assert found["slices"]["item:cold"] == {
        "ratings": 0,
        "metric": "mae",
        "model": None,
        "baselines": {"b": None},
    }


def test_no_model_sees_a_rating_that_it_predicts(dataset):
    found = probe_ratings(dataset, CONFIG, QUIET)
    assert found.differences == ()
    assert found.compared == 3


@pytest.mark.parametrize("leak", ["mean of all ratings", "range of all ratings"])
def test_a_planted_leak_is_named(dataset, monkeypatch, leak):
    honest = ratings_run.predict_fold

    def peeking(learning, test, models, seed):
        told = honest(learning, test, models, seed)
        known = test.values[~np.isnan(test.values)]
        values = told.predicted["biases"]
        if leak == "mean of all ratings":
            values = values + known.sum() / 1000
        else:
            values = values / max(known.max(initial=1), 1)
        return replace(told, predicted={**told.predicted, "biases": values})

    monkeypatch.setattr(ratings_run, "predict_fold", peeking)
    found = probe_ratings(dataset, CONFIG, QUIET)
    assert {named.where for named in found.leaks} == {"biases.predictions"}
    with pytest.raises(BacktestError, match=r"biases\.predictions \(replaced\)"):
        refuse_leaks(found)


def test_too_few_ratings_are_refused(tmp_path):
    events = events_table([("a", f"i{n}", "rating", n) for n in range(49)], rating=pa.array([3.0] * 49))
    with pytest.raises(BacktestError, match=r"at least 50 ratings in column rating .* received 49"):
        ratings_of(read_dataset(write_folder(tmp_path / "few", events)), 0)
    none = write_folder(tmp_path / "none", events_table([("a", "p", "view", 0)]))
    with pytest.raises(BacktestError, match="received 0"):
        ratings_of(read_dataset(none), 0)


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(["backtest", *[str(argument) for argument in arguments]])
    return exit_info.value.code, capsys.readouterr()


def test_the_command_measures_the_blend_beside_its_parts(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "home"))
    page = tmp_path / "page.html"
    asked = ("--protocol", "ratings", "--json", "--probe-leaks", "--report", page)
    code, captured = told(capsys, folder, *asked)
    assert code == 0, captured.err
    document = json.loads(captured.out.splitlines()[-1])
    assert document["model_name"] == "blend"
    assert set(document["model"]) == {"mae", "rmse"}
    assert {"biases", "linear", "svdpp"} < set(document["baselines"])
    low, high = document["ci95"]["mae"]
    assert low < document["model"]["mae"] < high
    assert len(document["chosen"]["blend"]["weights_of_folds"]) == 5
    assert document["train_seconds"] > 0 < document["peak_mb"]
    assert document["leak_probe"]["leaks"] == []
    assert "<svg" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keep-seen",), "are of protocols that rank"),
        (("--model", "popularity"), "expected models out of blend"),
    ],
)
def test_wrong_usage_is_exit_code_2(folder, arguments, message, capsys):
    code, captured = told(capsys, folder, "--protocol", "ratings", *arguments)
    assert code == 2
    assert message in captured.err
