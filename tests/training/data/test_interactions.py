"""The shop in numbers: what is read of the lake, and in which order."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import TrainingError
from pipelines.training.data.interactions import read_shop
from tests.training.small_lake import event, item, on, small_lake

EVENTS = [
    event("b", "x", on(2)),
    event("a", "y", on(3)),
    event("a", "x", on(1), "view"),
    event("a", "new", on(5)),
    event("a", "x", on(4), "impression"),
    event("a", None, on(4), "search", search_query="tea"),
]


def test_events_come_by_user_and_time_and_only_those_with_items(tmp_path: Path):
    shop = read_shop(small_lake(tmp_path, EVENTS, [item("x", "X"), item("y", "Y")]), on(6))
    ids = shop.catalogue.column("item_id").to_pylist()
    rows = shop.interactions
    assert shop.user_ids.to_pylist() == ["a", "b"]
    assert shop.event_types == ("purchase", "view")
    assert rows.users.tolist() == [0, 0, 0, 1]
    assert [ids[place] for place in rows.items] == ["x", "y", "new", "x"]
    assert rows.types.tolist() == [2, 1, 1, 1]
    assert rows.times.tolist() == [int(at.timestamp()) for at in (on(1), on(3), on(5), on(2))]


def test_as_of_is_exclusive_for_events_and_items(tmp_path: Path):
    items = [item("x", "before"), item("x", "at the cutoff", updated_at=on(3)), item("y", "Y")]
    shop = read_shop(small_lake(tmp_path, EVENTS, items), on(3))
    titles = dict(
        zip(*(shop.catalogue.column(name).to_pylist() for name in ("item_id", "title")), strict=True)
    )
    assert titles == {"x": "before", "y": "Y"}
    assert len(shop.interactions) == 2


def test_the_newest_state_of_an_item_counts_and_null_is_a_state(tmp_path: Path):
    states = [
        {**item("x", "old", updated_at=on(1)), "price": 2.0, "image_url": "/x.png"},
        {**item("x", "new", updated_at=on(2)), "price": None},
    ]
    shop = read_shop(small_lake(tmp_path, EVENTS, states), on(6))
    place = shop.catalogue.column("item_id").to_pylist().index("x")
    assert shop.catalogue.slice(place, 1).select(["title", "price", "image_url"]).to_pylist() == [
        {"title": "new", "price": None, "image_url": None}
    ]


def test_a_shop_without_items_table_has_the_items_of_its_events(tmp_path: Path):
    shop = read_shop(small_lake(tmp_path, EVENTS), on(6))
    assert sorted(shop.catalogue.column("item_id").to_pylist()) == ["new", "x", "y"]
    # An id is no title: no word of it may say what items are like.
    assert shop.catalogue.column("title").to_pylist() == [None] * 3


def test_the_catalogue_is_not_in_the_order_of_ids(tmp_path: Path):
    items = [item(f"i{number:03d}", "T") for number in range(50)]
    shop = read_shop(small_lake(tmp_path, [event("a", "i001", on(1))], items), on(6))
    numbers = np.array([int(item_id[1:]) for item_id in shop.catalogue.column("item_id").to_pylist()])
    assert abs(np.corrcoef(numbers, np.arange(50))[0, 1]) < 0.4


@pytest.mark.parametrize(
    ("kinds", "target"),
    [
        (("view", "cart", "purchase"), "purchase"),
        (("view", "cart"), "cart"),
        (("view",), "view"),
        (("like",), "like"),
    ],
)
def test_the_target_is_the_strongest_type_that_the_shop_has(
    tmp_path: Path, kinds: tuple[str, ...], target: str
):
    shop = read_shop(small_lake(tmp_path, [event("a", "x", on(1), kind) for kind in kinds]), on(6))
    assert shop.target_types == (target,)
    assert shop.event_types[shop.target_codes[0] - 1] == target


def test_without_a_session_the_basket_is_the_users_day(tmp_path: Path):
    events = [
        event("a", "x", on(1, 9)),
        event("a", "y", on(1, 10)),
        event("a", "z", on(2)),
        event("b", "x", on(1), session_id="s"),
        event("b", "y", on(2), session_id="s"),
    ]
    baskets = read_shop(small_lake(tmp_path, events), on(6)).interactions.baskets.tolist()
    assert baskets[0] == baskets[1] != baskets[2]
    assert baskets[3] == baskets[4]
    assert len(set(baskets)) == 3


def test_a_shop_without_interactions_says_what_to_do(tmp_path: Path):
    with pytest.raises(TrainingError, match="ingest shop data first"):
        read_shop(small_lake(tmp_path, EVENTS), on(1, hour=1))
    with pytest.raises(TrainingError, match="received cart"):
        read_shop(small_lake(tmp_path / "other", EVENTS), on(6), target_types=("cart",))
