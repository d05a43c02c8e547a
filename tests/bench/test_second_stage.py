"""`aisle bench second-stage`: both sides see the same lists, and learn nothing of those that measure them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.bench.second_stage import ndcgs, with_held_out
from pipelines.cli.main import main
from tests.backtest.folders import drawn_folder
from tests.training.small_trial import circle_trial


def test_ndcg_counts_what_was_not_offered_as_missed():
    rows = SimpleNamespace(
        labels=np.array(
            [[[0], [1], [0]], [[1], [0], [np.nan]], [[0], [0], [0]], [[0], [0], [0]]], np.float32
        ),
        wanted=np.array([1, 2, 1, 0]),
    )
    scores = np.array([[0.3, 0.2, 0.1], [0.9, 0.5, -np.inf], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    # The first finds its only item at place 2, the second one of two at place 1, the third none; the last one
    # wanted nothing.
    expected = [1 / np.log2(3), 1 / (1 + 1 / np.log2(3)), 0, np.nan]
    assert ndcgs(scores, rows).tolist() == pytest.approx(expected, nan_ok=True)


def test_held_out_requests_are_half_of_the_validation_and_keep_their_answers():
    whole = circle_trial()[0]
    trial, held_out = with_held_out(whole, seed=0)
    users = [part.histories.users.tolist() for part in (trial.validation, held_out)]
    assert abs(len(users[0]) - len(users[1])) <= 1
    assert sorted(users[0] + users[1]) == sorted(whole.validation.histories.users.tolist())
    answers = dict(
        zip(whole.validation.histories.users.tolist(), whole.validation.wanted.items.tolist(), strict=True)
    )
    for part in (trial.validation, held_out):
        assert [answers[user] for user in part.histories.users.tolist()] == part.wanted.items.tolist()
    assert with_held_out(whole, seed=0)[1].histories.users.tolist() == users[1]
    assert with_held_out(whole, seed=1)[1].histories.users.tolist() != users[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_sides_are_measured_on_the_same_requests(tmp_path, capsys):
    folder = drawn_folder(tmp_path, n_users=200)
    with pytest.raises(SystemExit) as ended:
        main(["bench", "second-stage", str(folder), "--budget", "short", "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    # The drawn shop goes on to the next item four times in five.
    assert 0.2 < told["peer"]["mean"] <= 1
    assert 0.2 < told["ours"]["mean"] <= 1
    gain = told["ours"]["mean"] - told["peer"]["mean"]
    assert told["difference"]["mean"] == pytest.approx(gain, abs=2e-5)
    assert told["difference"]["ci95"][0] <= gain <= told["difference"]["ci95"][1]
    assert told["peer_trees"] >= 1
    assert 0 <= told["calibration_error"] < 0.5
    assert told["learning_rows"] > 10 * told["learning_requests"]
    assert abs(told["held_out_requests"] - told["choosing_requests"]) <= 1
