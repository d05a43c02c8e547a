import numpy as np
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.metrics.evaluate import asked_requests, item_facts, measure
from pipelines.backtest.metrics.slices import asker_slices, pair_slices
from pipelines.backtest.protocols import temporal
from tests.backtest.folders import events_table, write_folder

DAY = 1440
# 100 days: the test runs from day 87 on, as in test_temporal.
ROWS = [
    *[("a", "p", "view", day * DAY) for day in range(12)],
    ("a", "q", "view", 76 * DAY),
    ("a", "p", "view", 90 * DAY),
    ("a", "q", "purchase", 91 * DAY),
    ("b", "q", "view", 82 * DAY),
    ("b", "fresh", "view", 95 * DAY),
    ("new", "p", "purchase", 96 * DAY),
    ("late", "q", "view", 100 * DAY),
]


@pytest.fixture
def prepared(tmp_path):
    dataset = read_dataset(write_folder(tmp_path, events_table(ROWS)))
    return temporal.prepare(dataset, temporal.cut(dataset))


def true(masks):
    return {name: mask.tolist() for name, mask in masks.items()}


def test_askers_are_sliced_by_their_histories_and_cold_ones_stand_apart(prepared):
    # Askers in order: a with 13 events before day 87, b with one, late and new with none.
    assert prepared.answers.truth.user_ids.to_pylist() == ["a", "b", "late", "new"]
    assert true(asker_slices(prepared)) == {
        "user:cold": [False, False, True, True],
        "history:0": [False, False, True, True],
        "history:1-4": [False, True, False, False],
        "history:10-19": [True, False, False, False],
    }


def test_wishes_are_sliced_by_popularity_age_and_kind_and_cold_items_stand_apart(prepared):
    # Pairs: a-p, a-q, b-fresh, late-q, new-p in the order of item indices within an asker. p has 12 known
    # events since day 0, q two since day 76, eleven days before the requests; fresh has none.
    masks = pair_slices(prepared)
    truth = prepared.answers.truth
    ids = [*prepared.trial.catalogue["item_id"].to_pylist(), "fresh"]
    found = {
        name: sorted(
            (truth.user_ids[int(row)].as_py(), ids[item])
            for row, item in zip(truth.rows[mask], truth.items[mask], strict=True)
        )
        for name, mask in masks.items()
    }
    of_p, of_q = [("a", "p"), ("new", "p")], [("a", "q"), ("late", "q")]
    assert found == {
        "item:cold": [("b", "fresh")],
        "popularity:0": [("b", "fresh")],
        "popularity:1-9": of_q,
        "popularity:10-99": of_p,
        "age_days:7-28": of_q,
        "age_days:28-90": of_p,
        "event:purchase": [("a", "q"), ("new", "p")],
        "event:view": [("a", "p"), ("b", "fresh"), ("late", "q")],
    }


def test_cold_askers_share_the_one_list_that_nothing_is_known_for(prepared):
    asked = asked_requests(prepared)
    assert asked.tolist() == [0, 1, 2]
    p = prepared.trial.catalogue["item_id"].to_pylist().index("p")
    lists = {"only p for the unknown": [[1 - p, -1], [-1, -1], [p, -1]]}
    evaluation = measure(prepared, {name: np.array(own) for name, own in lists.items()}, (1, 2))
    # a wished for p and q and gets q: recall 1/2; b nothing; late wished for q and gets p; new gets its p.
    assert evaluation.metrics("only p for the unknown")["recall@1"] == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    slices = evaluation.slice_intervals["only p for the unknown"]
    assert (slices["user:cold"].mean, slices["user:cold"].users) == (0.5, 2)
    assert slices["item:cold"].mean == 0


def test_popularity_counts_what_was_known_at_the_test(prepared):
    facts = item_facts(prepared)
    counts = dict(zip(prepared.trial.catalogue["item_id"].to_pylist(), facts.popularity, strict=True))
    assert counts == {"p": 12, "q": 2}
