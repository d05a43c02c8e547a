import json

import pyarrow as pa
import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.cli.main import main
from tests.backtest.folders import drawn_folder, events_table, write_folder

METRICS = (
    *("recall", "precision", "f1", "hit_rate", "ndcg", "mrr", "map"),
    *("coverage", "novelty", "diversity", "gini"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return drawn_folder(tmp_path_factory.mktemp("shop"), with_test=True)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AISLE_TRACKING_URI", raising=False)


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(["backtest", *[str(argument) for argument in arguments]])
    return exit_info.value.code, capsys.readouterr()


QUICK = ("--model", "sequence_rules,popularity", "--budget-minutes", 0)


@pytest.mark.parametrize("protocol", ["leave-one-out", "temporal", "explicit"])
def test_the_last_line_of_stdout_is_the_document(folder, tmp_path, protocol, capsys):
    page = tmp_path / "page.html"
    code, captured = told(
        capsys, folder, "--protocol", protocol, "--k", "5,10", *QUICK, "--json", "--report", page
    )
    assert code == 0, captured.err
    document = json.loads(captured.out.splitlines()[-1])
    assert set(document["dataset"]) == {"users", "items", "events"}
    assert document["dataset"]["users"] == 60
    # 45 of the items are described, and the other five of the fifty are met in events.
    assert document["dataset"]["items"] == 50
    assert document["protocol"] == protocol
    assert document["seed"] == 0
    assert set(document["baselines"]) == {"popularity"}
    for figures in (document["model"], document["baselines"]["popularity"]):
        assert {f"{metric}@{k}" for metric in METRICS for k in (5, 10)} <= set(figures)
        assert all(value is not None for value in figures.values())
    for name, (low, high) in document["ci95"].items():
        assert low <= document["model"][name] <= high
    assert document["train_seconds"] > 0
    assert document["score_seconds"] > 0
    assert 50 < document["peak_mb"] < 20_000
    assert {"user:cold", "item:cold"} <= set(document["slices"])
    assert set(document["chosen"]) == {"sequence_rules", "popularity"}
    assert "sequence_rules: " in captured.err
    assert page.read_text("utf-8").count("<svg") >= 4


def test_rules_beat_popularity_where_one_item_follows_the_other(folder, capsys):
    _, captured = told(capsys, folder, "--protocol", "leave-one-out", *QUICK, "--json")
    document = json.loads(captured.out)
    # Four of five events follow the item before them.
    gain = document["differences"]["popularity"]["ndcg@10"]
    assert gain["ci95"][0] > 0
    assert gain["mean"] == pytest.approx(
        document["model"]["ndcg@10"] - document["baselines"]["popularity"]["ndcg@10"]
    )
    assert document["report"].endswith(f"home/backtests/{folder.name}-leave-one-out.html")


def test_the_same_seed_gives_the_same_figures(folder, capsys):
    runs = [
        json.loads(told(capsys, folder, "--protocol", "temporal", *QUICK, "--json", "--seed", 3)[1].out)
        for _ in range(2)
    ]
    assert runs[0]["model"] == runs[1]["model"]
    assert runs[0]["seed"] == 3


def test_settings_are_chosen_on_validation_within_a_budget(folder, capsys):
    budget = ("--model", "popularity", "--budget-minutes", 1)
    _, captured = told(capsys, folder, "--protocol", "leave-one-out", *budget, "--json")
    chosen = json.loads(captured.out)["chosen"]["popularity"]
    assert chosen["tried"] == chosen["all"] > 1


def test_a_probe_for_leaks_is_part_of_the_document(folder, capsys):
    code, captured = told(capsys, folder, "--protocol", "temporal", *QUICK, "--probe-leaks", "--json")
    assert code == 0, captured.err
    assert json.loads(captured.out)["leak_probe"]["leaks"] == []


def test_without_json_a_person_sees_a_table(folder, capsys):
    code, captured = told(capsys, folder, "--protocol", "explicit", *QUICK)
    assert code == 0
    assert "sequence_rules" in captured.err
    assert "ndcg@10" in captured.err
    assert captured.out == ""


def test_a_run_is_kept_where_a_tracking_server_is_set(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    _, captured = told(capsys, folder, "--protocol", "leave-one-out", *QUICK, "--json")
    document = json.loads(captured.out.splitlines()[-1])
    from pipelines.settings import load_settings
    from pipelines.tracking import connect

    run = connect(load_settings()).get_run(document["run_id"])
    assert run.data.metrics["ndcg_at_10"] == pytest.approx(document["model"]["ndcg@10"])
    assert run.data.params["protocol"] == "leave-one-out"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--protocol'"),
        (("--protocol", "random"), "'random' is not one of"),
        (("--protocol", "temporal", "--k", "0"), "lengths from 1 to 1000"),
        (("--protocol", "temporal", "--k", "ten"), "lengths from 1 to 1000"),
        (("--protocol", "temporal", "--model", "magic"), "expected models out of"),
        (("--protocol", "temporal", "--model", ","), "names joined by commas"),
        (("--protocol", "temporal", "--fit", "train+validation"), "is of protocol leave-one-out"),
        (("--protocol", "explicit", "--target", "view"), "is of protocol temporal"),
        (("--protocol", "explicit", "--learn-from", "view"), "is of protocol temporal"),
        (("--protocol", "temporal", "--budget-minutes", "-1"), "not in the range"),
        (("--protocol", "temporal", "--seed", "-1"), "not in the range"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_was_expected(folder, arguments, message, capsys):
    code, captured = told(capsys, folder, *arguments)
    assert code == 2
    assert message in captured.err


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path, capsys):
    code, captured = told(capsys, tmp_path / "nowhere", "--protocol", "temporal")
    assert code == 2
    assert "does not exist" in captured.err


def test_data_that_is_not_what_it_should_be_is_a_failure_as_one_document(tmp_path, capsys):
    write_folder(tmp_path / "shop", events_table([("a", "p", "view", 0)], rating=pa.array(["good"])))
    code, captured = told(capsys, tmp_path / "shop", "--protocol", "temporal", "--json")
    assert code == 1
    document = json.loads(captured.out)
    assert document["ok"] is False
    assert "expected ratings in column rating, received string" in document["error"]


def test_a_model_that_cannot_be_fitted_is_left_out_with_its_reason(tmp_path, capsys):
    rows = [(f"u{u}", f"i{(u + n) % 7}", "view", 60 * n + u) for u in range(20) for n in range(5)]
    folder = write_folder(tmp_path / "bare", events_table(rows))
    asked = (folder, "--protocol", "leave-one-out", "--budget-minutes", 0, "--json")
    _, captured = told(capsys, *asked, "--model", "popularity,content")
    assert list(json.loads(captured.out)["skipped"]) == ["content"]
    code, captured = told(capsys, *asked, "--model", "content,popularity")
    assert code == 1
    assert "received content: nothing is known of the items" in captured.err


def test_the_earlier_name_of_our_own_model_is_understood():
    config = BacktestConfig(protocol="temporal", models=("default", "popularity"))
    assert config.models == ("aisle", "popularity")
