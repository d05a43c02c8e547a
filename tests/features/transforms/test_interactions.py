"""Affinities and pairs against values worked out by hand."""

from math import sqrt
from pathlib import Path

import pytest

from pipelines.features.transforms.config import FeatureConfig
from tests.features.small_shop import at, event, table_of, write_shop

ITEMS = [
    {"item_id": "brie", "category": "Food > Cheese > Soft", "brand": "Alp"},
    {"item_id": "edam", "category": "Food > Cheese > Hard", "brand": "Alp"},
    {"item_id": "cola", "category": "Drinks > Soda", "brand": "Fizz"},
    {"item_id": "thing"},
]


def test_affinities_are_shares_of_the_weeks_before_each_monday(tmp_path: Path):
    # 2024-01-01 is a Monday.
    events = [
        event("anna", "2024-01-02T10:00:00", "purchase", "brie"),
        event("anna", "2024-01-03T10:00:00", "view", "edam"),
        event("anna", "2024-01-04T10:00:00", "purchase", "cola"),
        event("anna", "2024-01-04T10:00:00", "view", "thing"),
        event("anna", "2024-01-09T10:00:00", "purchase", "cola"),
        event("anna", "2024-01-10T10:00:00", "purchase", "cola"),
        event("anna", "2024-01-16T10:00:00", "purchase", "cola"),  # a week that is not over
    ]
    found = table_of(write_shop(tmp_path, events, ITEMS), "user_affinity", at("2024-01-17"))
    assert [row["known_at"] for row in found] == [at("2024-01-08"), at("2024-01-15")]
    assert found[0]["top_categories"] == ["Food > Cheese", "Drinks > Soda"]
    assert found[0]["top_category_shares"] == pytest.approx([2 / 3, 1 / 3])
    assert found[1]["top_categories"] == ["Drinks > Soda", "Food > Cheese"]
    assert found[1]["top_category_shares"] == pytest.approx([3 / 5, 2 / 5])
    assert found[1]["top_brands"] == ["Fizz", "Alp"]


def test_an_affinity_fades_when_its_weeks_are_over(tmp_path: Path):
    events = [
        event("anna", "2024-01-02T10:00:00", "purchase", "brie"),
        event("anna", "2024-01-09T10:00:00", "purchase", "cola"),
    ]
    found = table_of(
        write_shop(tmp_path, events, ITEMS),
        "user_affinity",
        at("2024-03-01"),
        FeatureConfig(affinity_weeks=2),
    )
    assert [(row["known_at"].day, row["top_categories"]) for row in found] == [
        (8, ["Food > Cheese"]),
        (15, ["Drinks > Soda", "Food > Cheese"]),
        (22, ["Drinks > Soda"]),
    ]


def test_what_a_user_did_in_a_category_is_counted(tmp_path: Path):
    events = [
        event("anna", "2024-01-02T10:00:00", "purchase", "brie", quantity=2.0, price=3.0),
        event("anna", "2024-01-02T10:00:00", "view", "edam"),
        event("anna", "2024-01-03T10:00:00", "view", "thing"),
    ]
    found = table_of(write_shop(tmp_path, events, ITEMS), "user_category", at("2024-03-01"))
    assert [(row["user_category_id"], row["known_at"]) for row in found] == [
        ("anna|Food > Cheese", at("2024-01-03")),
        ("anna|Food > Cheese", at("2024-02-02")),
    ]
    first, last = found
    assert [first[name] for name in ("actions_30d", "purchases_30d", "spend_30d", "recency_days")] == [
        2,
        1,
        6.0,
        1,
    ]
    assert [last[name] for name in ("actions_30d", "purchases_total", "spend_30d")] == [0, 1, 0.0]


def basket(number: int, *items: str) -> list[dict[str, object]]:
    return [
        event("anna", f"2024-01-{number:02}T10:00:00", "purchase", item, session_id=f"s{number}")
        for item in items
    ]


def test_items_that_share_baskets_are_pairs(tmp_path: Path):
    events = [
        *basket(1, "brie", "cola"),
        *basket(2, "brie", "cola"),
        *basket(3, "brie", "cola", "edam"),
        *basket(4, "brie", "edam"),
        *basket(5, "cola"),
        *basket(6, "edam", "edam"),
    ]
    found = table_of(
        write_shop(tmp_path, events), "item_pairs", at("2024-02-01"), FeatureConfig(pair_baskets=2)
    )
    pairs = {row["item_id"]: dict(zip(row["pair_ids"], row["pair_scores"], strict=True)) for row in found}
    # Baskets: brie 4, cola 4, edam 3; brie and cola share 3, brie and edam 2, cola and edam 1 (too few).
    assert list(pairs["brie"]) == ["cola", "edam"]
    assert pairs["brie"] == pytest.approx({"cola": 3 / 4, "edam": 2 / sqrt(12)})
    assert pairs["cola"] == pytest.approx({"brie": 3 / 4})
    assert pairs["edam"] == pytest.approx({"brie": 2 / sqrt(12)})


def test_great_baskets_say_nothing_about_pairs(tmp_path: Path):
    events = [
        *basket(1, "brie", "cola", "edam"),
        *basket(2, "brie", "cola"),
        *basket(3, "brie", "edam", "cola"),
    ]
    config = FeatureConfig(pair_baskets=1, pair_basket_items=2)
    found = table_of(write_shop(tmp_path, events), "item_pairs", at("2024-02-01"), config)
    assert {row["item_id"]: row["pair_ids"] for row in found} == {"brie": ["cola"], "cola": ["brie"]}
