import numpy as np
import pyarrow as pa
import pytest

from serving.bundle import Bundle
from serving.engine.user_batch import (
    RecentEvent,
    empty_user,
    user_batch,
    user_batch_from_table,
    with_live_events,
)
from serving.errors import FeatureLookupError
from tests.serving.tiny_bundle import APPLE, BANANA, BREAD, DAY, NOW, history

VIEW, CART, PURCHASE = 1, 2, 3

ROWS = [
    {
        **history(("bread", "purchase", 0.5), ("moonstone", "view", 1), ("banana", "cart", 2)),
        "purchases_30d": 4,
        "recency_days": 0.5,
        "gender": "M",
        "income": "high",
    },
    {},
    {
        **history(*[("apple", "view", day) for day in range(1, 10)]),
        "user_activity:recency_days": 1.0,
        "gender": "X",
        "income": None,
    },
]


def assert_same(one, other):
    for name in ("history_items", "history_types", "history_ages_s", "features", "profile"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_rows_become_arrays_newest_first_with_padding(tiny_bundle: Bundle):
    users = user_batch(tiny_bundle, ROWS, [NOW] * 3)
    assert len(users) == 3
    assert users.history_items[0].tolist() == [BREAD, -1, BANANA, -1, -1, -1]
    assert users.history_types[0].tolist() == [PURCHASE, VIEW, CART, 0, 0, 0]
    assert users.history_ages_s[0].tolist() == [DAY / 2, DAY, 2 * DAY, 0, 0, 0]
    assert users.history_items[2].tolist() == [APPLE] * 6
    assert users.history_ages_s[2].tolist() == [day * DAY for day in range(1, 7)]
    np.testing.assert_array_equal(users.features, [[4, 0.5], [np.nan, np.nan], [np.nan, 1]])
    assert users.profile.tolist() == [[2, 2], [0, 0], [0, 0]]
    assert users.has_history.tolist() == [True, False, True]


def test_a_table_gives_the_same_as_rows(tiny_bundle: Bundle):
    table = pa.table(
        {
            "item_ids": pa.array([row.get("item_ids") for row in ROWS], pa.list_(pa.string())),
            "event_types": pa.array([row.get("event_types") for row in ROWS], pa.list_(pa.string())),
            "event_times": pa.array([row.get("event_times") for row in ROWS], pa.list_(pa.int64())),
            "purchases_30d": pa.array([4, None, None], pa.int64()),
            "recency_days": [0.5, None, 1.0],
            "gender": ["M", None, "X"],
            "income": ["high", None, None],
        }
    )
    expected = user_batch(tiny_bundle, ROWS, [NOW] * 3)
    assert_same(user_batch_from_table(tiny_bundle, table, np.full(3, NOW)), expected)
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 2)])
    assert_same(user_batch_from_table(tiny_bundle, chunked, np.full(3, NOW)), expected)


def test_a_table_without_history_is_a_table_of_unknown_users(tiny_bundle: Bundle):
    users = user_batch_from_table(tiny_bundle, pa.table({"user_id": ["a", "b"]}), np.full(2, NOW))
    assert not users.has_history.any()
    assert np.isnan(users.features).all()


def test_lists_of_different_length_are_no_history(tiny_bundle: Bundle):
    table = pa.table({"item_ids": [["banana"]], "event_types": [["view"]], "event_times": [[1, 2]]})
    with pytest.raises(FeatureLookupError, match="one length"):
        user_batch_from_table(tiny_bundle, table, np.array([NOW]))


def test_events_after_the_request_do_not_exist(tiny_bundle: Bundle):
    row = history(("bread", "view", -1), ("banana", "view", 0), ("apple", "view", 1))
    users = user_batch(tiny_bundle, [row, row], [NOW, NOW - 1])
    assert users.history_items[0].tolist() == [BANANA, APPLE, -1, -1, -1, -1]
    assert users.history_items[1].tolist() == [APPLE, -1, -1, -1, -1, -1]


def test_event_types_that_the_release_does_not_know_leave_no_gap(tiny_bundle: Bundle):
    row = history(("bread", "teleport", 1), ("banana", "view", 2))
    users = user_batch(tiny_bundle, [row], [NOW])
    assert users.history_items[0].tolist() == [BANANA, -1, -1, -1, -1, -1]
    assert users.history_types[0].tolist() == [VIEW, 0, 0, 0, 0, 0]


def test_each_user_has_an_own_instant(tiny_bundle: Bundle):
    row = history(("bread", "view", 1))
    ages = user_batch(tiny_bundle, [row, row], [NOW, NOW + DAY]).history_ages_s[:, 0]
    assert ages.tolist() == [DAY, 2 * DAY]


def test_nobody_has_no_history(tiny_bundle: Bundle):
    nobody = empty_user(tiny_bundle)
    assert len(nobody) == 1
    assert not nobody.has_history[0]
    assert nobody.features.shape == (1, 2)


def test_users_are_chosen_by_place(tiny_bundle: Bundle):
    users = user_batch(tiny_bundle, ROWS, [NOW] * 3)
    assert_same(users.rows(np.array([2, 0])), user_batch(tiny_bundle, [ROWS[2], ROWS[0]], [NOW] * 2))


def test_a_live_event_comes_first_and_is_not_doubled_by_the_store():
    row = {**history(("bread", "purchase", 1)), "gender": "F"}
    caught_up = RecentEvent("bread", "purchase", int(NOW - DAY))
    fresh = RecentEvent("apple", "view", int(NOW))
    merged = with_live_events(row, [caught_up, fresh, fresh])
    assert merged["item_ids"] == ["apple", "bread"]
    assert merged["event_types"] == ["view", "purchase"]
    assert merged["event_times"] == [int(NOW), int(NOW - DAY)]
    assert merged["gender"] == "F"
    assert row["item_ids"] == ["bread"], "the row of the store is left as it was"


def test_live_events_of_an_unknown_user_make_a_history():
    assert with_live_events({}, [])["item_ids"] == []
    events = [RecentEvent("a", "view", 10), RecentEvent("b", "cart", 20)]
    assert with_live_events({"item_ids": None}, events)["item_ids"] == ["b", "a"]


def test_an_empty_batch_is_a_batch(tiny_bundle: Bundle):
    users = user_batch(tiny_bundle, [], [])
    assert users.history_items.shape == (0, 6)
    assert users.profile.shape == (0, 2)
