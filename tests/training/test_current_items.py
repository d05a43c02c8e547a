"""What a release shows of its items."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import TrainingError
from pipelines.training.current_items import current_items, save_current_items, serve_current_items
from pipelines.training.data.interactions import newest_items, read_shop
from serving.bundle import ITEMS, write_items
from tests.training.small_lake import event, item, on, small_lake

EVENTS = [event("a", "x", on(2)), event("b", "bare", on(3))]
AS_OF = on(4)


def titles_of(table: pa.Table) -> dict[str, str]:
    return dict(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))


def test_training_knows_the_first_state_and_a_release_shows_the_newest(tmp_path):
    # The export stamps every row with the night after the last event, and again a day later.
    states = [
        item("x", "X", updated_at=on(5)),
        {**item("x", "X, new name", updated_at=on(6)), "price": 3.5, "available": False},
        item("unsold", "Unsold", updated_at=on(5)),
    ]
    lake = small_lake(tmp_path / "lake", EVENTS, states)
    shop = read_shop(lake, AS_OF)
    assert titles_of(shop.catalogue) == {"x": "X", "unsold": "Unsold", "bare": None}
    today = current_items(shop.catalogue, newest_items(lake))
    assert today["item_id"].equals(shop.catalogue["item_id"])
    assert titles_of(today) == {"x": "X, new name", "unsold": "Unsold", "bare": None}
    place = today["item_id"].to_pylist().index("x")
    assert today.slice(place, 1).select(["price", "available"]).to_pylist() == [
        {"price": 3.5, "available": False}
    ]


def test_a_shop_without_descriptions_stays_as_it_is(tmp_path):
    lake = small_lake(tmp_path / "lake", EVENTS)
    shop = read_shop(lake, AS_OF)
    assert current_items(shop.catalogue, newest_items(lake)) is shop.catalogue


def test_the_newest_states_go_into_a_copy_of_the_same_items_alone(tmp_path):
    evaluated, release = tmp_path / "bundle", tmp_path / "release"
    training = tmp_path / "bundle.training"
    for folder in (evaluated, release, training):
        folder.mkdir()
    old = pa.table({"item_id": ["x", "y"], "title": ["X", "Y"]})
    for folder in (evaluated, release):
        write_items(folder, old)
    with pytest.raises(TrainingError, match="newest state of each item"):
        serve_current_items(evaluated, release)
    save_current_items(training, pa.table({"item_id": ["x", "y"], "title": ["X!", "Y!"]}))
    serve_current_items(evaluated, release)
    assert titles_of(pq.read_table(release / ITEMS)) == {"x": "X!", "y": "Y!"}
    assert titles_of(pq.read_table(evaluated / ITEMS)) == {"x": "X", "y": "Y"}
    save_current_items(training, pa.table({"item_id": ["y", "x"], "title": ["Y!", "X!"]}))
    with pytest.raises(TrainingError, match="received others"):
        serve_current_items(evaluated, release)
