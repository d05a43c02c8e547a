"""Item activity against values worked out by hand."""

from typing import Any

import pytest

from tests.features.small_shop import at, event, table_of, write_shop

TEA = [
    event("anna", "2024-01-01T10:00:00", "view", "tea"),
    event("anna", "2024-01-01T10:05:00", "purchase", "tea", quantity=2.0, price=3.0, discount=0.5),
    event("anna", "2024-01-05T09:10:00", "purchase", "tea", quantity=1.0, price=6.0),
    event("bob", "2024-01-05T12:00:00", "view", "tea"),
    event("bob", "2024-01-10T12:00:00", "impression", "tea"),
    event("bob", "2024-01-20T12:00:00", "cart", "tea"),
    event("bob", "2024-01-20T12:01:00", "purchase", "tea", quantity=1.0, price=3.0),
    event("bob", "2024-01-21T12:00:00", "rating", "tea", rating=4.0),
    event("carl", "2024-01-21T13:00:00", "rating", "tea", rating=5.0),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows of the tea by the day from which they were known."""
    lake = write_shop(tmp_path_factory.mktemp("lake"), TEA)
    return {
        row["known_at"].date().isoformat(): row for row in table_of(lake, "item_activity", at("2024-03-01"))
    }


def test_sales_are_counted_over_windows_and_over_all_time(rows):
    names = ("purchases_1d", "purchases_7d", "purchases_30d", "purchases_total")
    assert [rows["2024-01-06"][name] for name in names] == [1, 2, 2, 2]
    assert [rows["2024-01-21"][name] for name in names] == [1, 1, 3, 3]
    assert [rows["2024-02-20"][name] for name in names] == [0, 0, 0, 3]


def test_a_buyer_is_counted_once_however_often_he_returns(rows):
    assert [rows[day]["buyers_30d"] for day in ("2024-01-02", "2024-01-06", "2024-01-21")] == [1, 1, 2]
    # Anna's last day, 5 January, leaves the window on 5 February, Bob's on 20 February.
    assert [rows[day]["buyers_30d"] for day in ("2024-02-05", "2024-02-20")] == [1, 0]
    assert rows["2024-02-20"]["buyers_total"] == 2


def test_repeat_rate_is_the_share_of_buyers_who_came_back(rows):
    assert [rows[day]["repeat_rate"] for day in ("2024-01-02", "2024-01-06", "2024-01-21")] == [0.0, 1.0, 0.5]


def test_conversion_is_sales_for_each_view(rows):
    assert rows["2024-01-21"]["conversion_30d"] == 1.5  # three sales, two views
    assert rows["2024-02-05"]["conversion_30d"] is None  # the views are over, one sale is not


def test_prices_are_money_for_each_unit(rows):
    assert rows["2024-01-06"]["mean_price_30d"] == 4.0  # 2 x 3 + 6 for 3 units
    assert rows["2024-01-21"]["mean_price"] == 3.75  # and 3 more for a fourth
    assert rows["2024-01-21"]["price_change_7_30"] == pytest.approx(3.0 / 3.75 - 1)
    assert rows["2024-02-20"]["mean_price_30d"] is None
    assert rows["2024-02-20"]["mean_price"] == 3.75


def test_revenue_and_discount_follow_what_was_paid(rows):
    assert rows["2024-01-21"]["revenue_30d"] == 15.0
    assert rows["2024-01-21"]["discount_share_30d"] == pytest.approx(1 / 16)


def test_ratings_are_averaged_over_all_time(rows):
    assert (rows["2024-01-21"]["mean_rating"], rows["2024-01-21"]["ratings_total"]) == (None, 0)
    assert (rows["2024-01-22"]["mean_rating"], rows["2024-01-22"]["ratings_total"]) == (4.5, 2)


def test_being_shown_is_counted_but_is_no_action(rows):
    assert rows["2024-01-11"]["impressions_30d"] == 1
    assert rows["2024-01-11"]["recency_days"] == 6  # since the view of 5 January
    assert rows["2024-01-11"]["age_days"] == 10


def test_an_item_that_was_only_shown_has_neither_age_nor_recency(tmp_path):
    lake = write_shop(tmp_path, [event("bob", "2024-01-01T10:00:00", "impression", "jam")])
    row = table_of(lake, "item_activity", at("2024-01-03"))[0]
    assert (row["impressions_30d"], row["age_days"], row["recency_days"]) == (1, None, None)
