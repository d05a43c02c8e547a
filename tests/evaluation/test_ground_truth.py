from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import EvaluationError
from pipelines.evaluation.ground_truth import GroundTruth, build_truth, events_per_user
from pipelines.evaluation.split import Window

WINDOW = Window(starts_at=datetime(2024, 3, 1, tzinfo=UTC), ends_at=datetime(2024, 3, 15, tzinfo=UTC))


def day(number, month=3):
    return datetime(2024, month, number, tzinfo=UTC)


def shop(rows):
    users, items, types, at = zip(*rows, strict=True)
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "event_type": pa.array(types, pa.string()),
            "event_at": pa.array(at, pa.timestamp("us", tz="UTC")),
        }
    )


EVENTS = shop(
    [
        ("b", "y", "purchase", day(14)),
        ("a", "x", "purchase", day(1)),
        ("a", "x", "purchase", day(9)),
        ("a", "z", "purchase", day(2)),
        ("a", "y", "view", day(3)),
        ("a", "y", "purchase", day(15)),
        ("a", "y", "purchase", day(29, month=2)),
        ("stranger", "x", "purchase", day(5)),
        ("b", "unlisted", "purchase", day(5)),
        ("b", None, "purchase", day(5)),
    ]
)


@pytest.fixture
def truth():
    return build_truth(EVENTS, WINDOW, ["a", "b", "c"], ["x", "y", "z"], ["purchase"])


def test_truth_holds_distinct_items_of_the_window_and_target_types(truth):
    assert truth.items[truth.indptr[0] : truth.indptr[1]].tolist() == [0, 2]
    assert truth.sizes.tolist() == [2, 2, 0]
    assert truth.user_ids.to_pylist() == ["a", "b", "c"]


def test_items_outside_the_catalogue_count_but_cannot_be_hit(truth):
    assert truth.items[truth.indptr[1] : truth.indptr[2]].tolist() == [1, 3]
    assert truth.relevance(np.array([[0, 1, 2]] * 3)).tolist() == [
        [True, False, True],
        [False, True, False],
        [False, False, False],
    ]


def test_padding_is_never_relevant(truth):
    assert not truth.relevance(np.full((3, 4), -1)).any()


def test_several_target_types_can_be_asked_for():
    truth = build_truth(EVENTS, WINDOW, ["a"], ["x", "y", "z"], ["purchase", "view"])
    assert truth.items.tolist() == [0, 1, 2]


def test_only_keeps_the_true_items_of_a_mask(truth):
    masked = truth.only(np.array([True, True, False]))
    assert masked.sizes.tolist() == [1, 1, 0]
    assert masked.items.tolist() == [0, 1]


def test_users_can_be_taken_in_another_order(truth):
    taken = truth.take(np.array([1, 2, 0, 1]))
    assert taken.user_ids.to_pylist() == ["b", "c", "a", "b"]
    assert taken.sizes.tolist() == [2, 0, 2, 2]
    assert taken.items.tolist() == [1, 3, 0, 2, 1, 3]


def test_an_empty_window_gives_empty_rows():
    truth = build_truth(EVENTS.slice(0, 0), WINDOW, ["a", "b"], ["x"], ["purchase"])
    assert truth.sizes.tolist() == [0, 0]
    assert not truth.relevance(np.zeros((2, 1), int)).any()


def test_truth_equals_a_loop_over_the_tiny_shop(tiny_shop):
    events = pq.read_table(tiny_shop / "events.parquet")
    items = pq.read_table(tiny_shop / "items.parquet")["item_id"]
    users = [f"u{n:02d}" for n in range(60)]
    window = Window(starts_at=datetime(2024, 4, 1, tzinfo=UTC), ends_at=datetime(2024, 4, 20, tzinfo=UTC))
    expected = {user: set() for user in users}
    for row in events.to_pylist():
        if row["event_type"] == "cart" and window.starts_at <= row["event_at"] < window.ends_at:
            expected[row["user_id"]].add(row["item_id"])
    truth = build_truth(events, window, users, items, ["cart"])
    names = items.to_pylist()
    rows = np.split(truth.items, truth.indptr[1:-1])
    assert {user: {names[i] for i in row} for user, row in zip(users, rows, strict=True)} == expected
    assert len(truth.items) > 100


def test_history_sizes_count_each_users_events():
    assert events_per_user(EVENTS, ["c", "a", "b"]).tolist() == [0, 6, 3]


def test_repeated_ids_are_refused_by_name():
    with pytest.raises(EvaluationError, match="expected item_ids to be distinct"):
        build_truth(EVENTS, WINDOW, ["a"], ["x", "x"], ["purchase"])


def test_lists_that_do_not_fit_are_refused(truth):
    with pytest.raises(EvaluationError, match="each of the 3 users"):
        truth.relevance(np.zeros((2, 5), int))
    with pytest.raises(EvaluationError, match="below 3, the catalogue's size, received 3"):
        truth.relevance(np.full((3, 1), 3))


def test_a_row_can_be_built_by_hand():
    truth = GroundTruth(np.array([0, 2]), np.array([1, 4], np.int32), pa.array(["a"]), n_items=5)
    assert truth.n_users == 1
    assert truth.relevance(np.array([[4, 0, 1]])).tolist() == [[True, False, True]]
