"""User activity against values worked out by hand."""

from pathlib import Path
from typing import Any

import pytest

from tests.features.small_shop import at, event, table_of, write_shop

# Anna bought two items on New Year's Day and one of them again four days later.
ANNA = [
    event("anna", "2024-01-01T10:00:00", "view", "tea", session_id="s1"),
    event(
        "anna",
        "2024-01-01T10:05:00",
        "purchase",
        "tea",
        session_id="s1",
        quantity=2.0,
        price=3.0,
        discount=0.5,
    ),
    event("anna", "2024-01-01T10:05:00", "purchase", "jam", session_id="s1", quantity=1.0, price=4.0),
    event("anna", "2024-01-05T09:00:00", "cart", "tea", session_id="s2"),
    event("anna", "2024-01-05T09:10:00", "purchase", "tea", session_id="s2", quantity=1.0, price=2.0),
    event("anna", "2024-01-05T09:20:00", "search", search_query="honey", session_id="s2"),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Anna's rows by the day from which they were known."""
    lake = write_shop(tmp_path_factory.mktemp("lake"), ANNA)
    return {
        row["known_at"].date().isoformat(): row for row in table_of(lake, "user_activity", at("2024-03-01"))
    }


def values(row: dict[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]


def test_a_row_is_written_for_each_day_on_which_something_enters_or_leaves_a_window(rows):
    assert list(rows) == [
        *("2024-01-02", "2024-01-03", "2024-01-06", "2024-01-07"),
        *("2024-01-09", "2024-01-13", "2024-02-01", "2024-02-05"),
    ]


@pytest.mark.parametrize(
    ("day", "views", "carts", "purchases", "searches"),
    [
        ("2024-01-02", [1, 1, 1], [0, 0, 0], [2, 2, 2], 0),
        ("2024-01-03", [0, 1, 1], [0, 0, 0], [0, 2, 2], 0),
        ("2024-01-06", [0, 1, 1], [1, 1, 1], [1, 3, 3], 1),
        ("2024-01-07", [0, 1, 1], [0, 1, 1], [0, 3, 3], 1),
        ("2024-01-09", [0, 0, 1], [0, 1, 1], [0, 1, 3], 1),
        ("2024-01-13", [0, 0, 1], [0, 0, 1], [0, 0, 3], 1),
        ("2024-02-01", [0, 0, 0], [0, 0, 1], [0, 0, 1], 1),
        ("2024-02-05", [0, 0, 0], [0, 0, 0], [0, 0, 0], 0),
    ],
)
def test_events_are_counted_over_1_7_and_30_whole_days(rows, day, views, carts, purchases, searches):
    row = rows[day]
    assert values(row, "views_1d", "views_7d", "views_30d") == views
    assert values(row, "carts_1d", "carts_7d", "carts_30d") == carts
    assert values(row, "purchases_1d", "purchases_7d", "purchases_30d") == purchases
    assert row["searches_30d"] == searches


@pytest.mark.parametrize(
    ("day", "sessions", "active_days", "distinct_items"),
    [("2024-01-02", 1, 1, 2), ("2024-01-06", 2, 2, 2), ("2024-02-01", 1, 1, 1), ("2024-02-05", 0, 0, 0)],
)
def test_sessions_days_and_different_items_are_counted_once(rows, day, sessions, active_days, distinct_items):
    found = values(rows[day], "sessions_30d", "active_days_30d", "distinct_items_30d")
    assert found == [sessions, active_days, distinct_items]


def test_spend_is_price_times_quantity(rows):
    # 2 x 3.00 + 4.00 on the first day, 2.00 four days later.
    assert values(rows["2024-01-02"], "spend_7d", "spend_30d") == [10.0, 10.0]
    assert values(rows["2024-01-06"], "spend_7d", "spend_30d") == [12.0, 12.0]
    assert values(rows["2024-01-09"], "spend_7d", "spend_30d") == [2.0, 12.0]


def test_baskets_are_sessions_with_a_purchase(rows):
    assert values(rows["2024-01-06"], "mean_basket_value_30d", "mean_basket_items_30d") == [6.0, 1.5]
    assert values(rows["2024-02-05"], "mean_basket_value_30d", "mean_basket_items_30d") == [None, None]


def test_price_level_is_money_for_each_unit(rows):
    # 12.00 for 2 + 1 + 1 units; in February only the last unit is in the window.
    assert values(rows["2024-01-06"], "mean_price_30d", "mean_price") == [3.0, 3.0]
    assert values(rows["2024-02-01"], "mean_price_30d", "mean_price") == [2.0, 3.0]
    assert values(rows["2024-02-05"], "mean_price_30d", "mean_price") == [None, 3.0]


def test_discount_share_is_discount_over_full_price(rows):
    # 2 x 0.50 off: 1 of 10 + 1, then 1 of 12 + 1, then nothing off.
    assert rows["2024-01-02"]["discount_share_30d"] == pytest.approx(1 / 11)
    assert rows["2024-01-06"]["discount_share_30d"] == pytest.approx(1 / 13)
    assert rows["2024-02-01"]["discount_share_30d"] == 0.0


def test_repeat_share_counts_items_bought_on_an_earlier_day(rows):
    assert rows["2024-01-02"]["repeat_share_30d"] == 0.0
    assert rows["2024-01-06"]["repeat_share_30d"] == pytest.approx(1 / 3)
    assert rows["2024-02-01"]["repeat_share_30d"] == 1.0


def test_trend_compares_daily_actions_of_a_week_with_those_of_a_month(rows):
    assert rows["2024-01-06"]["trend_7_30"] == pytest.approx((6 / 7) / (6 / 30))
    assert rows["2024-01-09"]["trend_7_30"] == pytest.approx((3 / 7) / (6 / 30))
    assert rows["2024-02-05"]["trend_7_30"] is None


def test_times_are_counted_from_the_instant_at_which_a_row_is_known(rows):
    assert values(rows["2024-01-02"], "recency_days", "tenure_days", "purchase_gap_days") == [1, 1, None]
    assert values(rows["2024-01-06"], "recency_days", "tenure_days", "purchase_gap_days") == [1, 5, 4.0]
    assert values(rows["2024-02-05"], "recency_days", "tenure_days") == [31, 35]
    assert rows["2024-01-06"]["last_event_at_s"] == at("2024-01-05T09:20:00").timestamp()


def test_what_happened_before_the_span_is_summed_up_at_its_start(tmp_path: Path):
    from pipelines.features.transforms.config import FeatureConfig

    lake = write_shop(tmp_path, ANNA)
    found = table_of(lake, "user_activity", at("2024-03-01"), FeatureConfig(span_days=30))
    # The span begins on 2024-01-31; rows of February follow as before.
    assert [row["known_at"].date().isoformat() for row in found] == ["2024-01-31", "2024-02-01", "2024-02-05"]
    assert values(found[0], "purchases_7d", "purchases_30d", "spend_30d", "recency_days") == [0, 3, 12.0, 26]


def test_an_event_at_the_last_microsecond_of_a_day_belongs_to_that_day(tmp_path: Path):
    lake = write_shop(
        tmp_path,
        [
            event("bob", "2024-01-01T23:59:59.999999", "view", "tea"),
            event("bob", "2024-01-03T00:00:00", "view", "tea"),
        ],
    )
    found = table_of(lake, "user_activity", at("2024-01-05"))
    assert [(row["known_at"].day, row["views_1d"], row["views_7d"]) for row in found] == [
        (2, 1, 1),
        (3, 0, 1),
        (4, 1, 2),
        (5, 0, 2),
    ]
    assert found[0]["last_event_at_s"] == at("2024-01-01T23:59:59").timestamp()


def test_impressions_are_not_what_a_user_did(tmp_path: Path):
    lake = write_shop(tmp_path, [event("bob", "2024-01-01T10:00:00", "impression", "tea")])
    assert table_of(lake, "user_activity", at("2024-01-05")) == []


def test_events_without_session_share_one_visit_a_day(tmp_path: Path):
    lake = write_shop(
        tmp_path,
        [
            event("bob", "2024-01-01T10:00:00", "purchase", "tea", quantity=1.0, price=2.0),
            event("bob", "2024-01-01T18:00:00", "purchase", "jam", quantity=1.0, price=4.0),
            event("bob", "2024-01-02T18:00:00", "view", "jam"),
        ],
    )
    newest = table_of(lake, "user_activity", at("2024-01-03"))[-1]
    assert values(newest, "sessions_30d", "mean_basket_value_30d") == [2, 6.0]


def test_a_purchase_without_price_counts_but_costs_nothing(tmp_path: Path):
    lake = write_shop(
        tmp_path,
        [
            event("bob", "2024-01-01T10:00:00", "purchase", "tea"),
            event("bob", "2024-01-01T10:00:00", "purchase", "jam", price=5.0),
        ],
    )
    row = table_of(lake, "user_activity", at("2024-01-02"))[0]
    assert values(row, "purchases_1d", "spend_7d", "mean_price_30d") == [2, 5.0, 5.0]
