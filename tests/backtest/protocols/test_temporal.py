from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.protocols import temporal
from pipelines.errors import BacktestError, EvaluationError
from tests.backtest.folders import FIRST_AT, events_table, write_folder

DAY = 1440
# 100 days and a second: windows of 13 days leave 40 % to retrieval, windows of 14 would not. The test runs
# from day 87 to the end, validation from day 74, ranking requests are at days 41.5, 48, 54.5 and 61, each a
# second late.
ROWS = [
    ("a", "p", "view", 0),
    ("a", "q", "purchase", 50 * DAY),
    ("a", "p", "view", 57 * DAY),
    ("a", "r", "view", 82 * DAY),
    ("a", "p", "view", 91 * DAY),
    ("a", "s", "purchase", 92 * DAY),
    ("a", "s", "view", 93 * DAY),
    ("b", "q", "view", 66 * DAY),
    ("b", "p", "purchase", 85 * DAY),
    ("b", "r", "view", 100 * DAY),
    ("new", "q", "view", 95 * DAY),
    ("new", "unheard", "purchase", 96 * DAY),
    ("early", "q", "view", 1),
]


@pytest.fixture
def dataset(tmp_path):
    return read_dataset(write_folder(tmp_path, events_table(ROWS)))


def prepared(dataset, **options):
    return temporal.prepare(dataset, temporal.cut(dataset), **options)


def names(trial, items):
    return [trial.catalogue["item_id"][int(item)].as_py() for item in items]


def wanted(trial, stage):
    rows = zip(stage.histories.users, stage.wanted.indptr[:-1], stage.wanted.indptr[1:], strict=True)
    return {int(user): set(names(trial, stage.wanted.items[a:b])) for user, a, b in rows}


def day(instant):
    return (instant - FIRST_AT).total_seconds() / 86_400


def test_the_cutoffs_are_those_of_a_time_split(dataset):
    cut = temporal.cut(dataset)
    assert day(cut.split.test_from) == pytest.approx(87, abs=1e-4)
    assert day(cut.split.validation_from) == pytest.approx(74, abs=1e-4)
    assert [round(day(at), 1) for at in cut.split.ranking_instants] == [41.5, 48, 54.5, 61]
    # Events are ordered by user: a has 4 before day 87, b 2, early 1, new none.
    assert cut.known.tolist() == [True] * 4 + [False] * 3 + [True, True, False, True, False, False]


def test_all_later_events_of_known_and_new_users_are_the_answers(dataset):
    made = prepared(dataset)
    truth, requests = made.answers.truth, made.answers.requests
    assert truth.user_ids.to_pylist() == ["a", "b", "new"]
    # Users a, b, early are 0, 1, 2; request 3 stands for everybody unknown.
    assert requests.tolist() == [0, 1, 3]
    # a takes p and s (twice), b takes r, new takes q and unheard; s and unheard are in no known event, so
    # they are outside the catalogue of p, q, r.
    assert truth.sizes.tolist() == [2, 1, 2]
    assert truth.n_items == 3
    assert (truth.items >= 3).tolist() == [False, True, False, False, True]


def test_a_wish_for_a_seen_item_counts_where_seen_items_are_kept(dataset):
    kept, masked = prepared(dataset), prepared(dataset, keep_seen=False)
    assert kept.answers.truth.take(np.array([0])).sizes.tolist() == [2]
    assert masked.answers.truth.take(np.array([0])).sizes.tolist() == [1]
    assert masked.counts["events_of_seen_items_left_out"] == 1


def test_stages_see_only_what_lay_before_them(dataset):
    trial = prepared(dataset).trial
    # Before day 41.5: a's p, early's q. In the windows of 13 days lie a's q (day 50) and p (57); b is unknown
    # before day 66.
    assert sorted(names(trial, trial.learning.items)) == ["p", "q"]
    assert [wanted(trial, stage) for stage in trial.ranking] == [{0: {"q"}}, {0: {"p", "q"}}, {0: {"p"}}, {}]
    assert wanted(trial, trial.validation) == {0: {"r"}, 1: {"p"}}
    for stage in (*trial.ranking, trial.validation):
        assert (stage.known.times < stage.histories.at_s.max(initial=2**62)).all()
        assert (stage.histories.times < stage.histories.at_s[stage.histories.rows]).all()


def test_a_user_without_a_history_is_asked_for_once_for_all(dataset):
    histories = prepared(dataset).test.histories
    assert histories.users.tolist() == [0, 1, 2, -1]
    assert histories.sizes.tolist() == [4, 2, 1, 0]
    assert prepared(dataset).counts["cold_users"] == 1


def test_targets_narrow_the_answers_and_the_labels(dataset):
    made = prepared(dataset, targets=("purchase",))
    assert made.answers.truth.user_ids.to_pylist() == ["a", "new"]
    assert made.trial.target_types == ("purchase",)
    assert made.trial.event_types == ("purchase", "view")
    assert wanted(made.trial, made.trial.validation) == {1: {"p"}}


def test_models_see_the_types_alone_that_they_learn_from(tmp_path):
    dataset = read_dataset(write_folder(tmp_path, events_table([*ROWS, ("a", "p", "purchase", 80 * DAY)])))
    whole = prepared(dataset, targets=("purchase",))
    made = prepared(dataset, targets=("purchase",), learn_from=("purchase",))
    # a bought q on day 50 and p on day 80, b bought p on day 85; of r there were only views.
    assert made.trial.event_types == ("purchase",)
    assert sorted(made.trial.catalogue["item_id"].to_pylist()) == ["p", "q"]
    assert names(made.trial, made.test.known.items) == ["q", "p", "p"]
    # What is to be found stays the same.
    found = [one.answers.truth.user_ids.to_pylist() for one in (whole, made)]
    assert found == [["a", "new"], ["a", "new"]]
    with pytest.raises(BacktestError, match="out of purchase, view, received buy"):
        prepared(dataset, learn_from=("buy",))


def test_what_was_taken_by_other_types_is_told_beside_the_target(dataset):
    trial = prepared(dataset, targets=("view",)).trial
    # In the window from day 48 user a buys q and views p.
    second = trial.ranking[1]
    assert wanted(trial, second) == {0: {"p"}}
    assert list(second.others) == ["purchase"]
    assert names(trial, second.others["purchase"].items) == ["q"]
    # In validation a views r; what b buys there is no label, since b views nothing.
    assert wanted(trial, trial.validation) == {0: {"r"}}
    assert trial.validation.others["purchase"].indptr.tolist() == [0, 0]
    assert prepared(dataset).trial.validation.others == {}


def test_the_kinds_of_a_wish_are_kept(dataset):
    types = prepared(dataset).answers.types
    # Pairs: a-p, a-s, b-r, new-q, new-unheard.
    assert types["purchase"].tolist() == [False, True, False, False, True]
    assert types["view"].tolist() == [True, True, True, True, False]


def test_a_shop_of_half_an_hour_is_refused(tmp_path):
    dataset = read_dataset(write_folder(tmp_path, events_table([("a", "p", "view", n) for n in range(30)])))
    with pytest.raises(EvaluationError, match="to split in time"):
        temporal.cut(dataset)


def test_instants_are_in_utc(dataset):
    assert temporal.cut(dataset).split.test_from.tzinfo == UTC
    assert temporal.cut(dataset).split.first_event_at == datetime(2024, 1, 1, tzinfo=UTC)
