import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.bundle import ARRAYS, DEFAULT_SOURCES, Bundle, Spec, write_array, write_items
from serving.errors import BundleError
from tests.serving.tiny_bundle import BANANA, BREAD, LAMP, PEAR, SPEC


@pytest.fixture
def directory(tiny_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_directory, tmp_path / "bundle"))


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_items_are_found_by_id(tiny_bundle: Bundle):
    assert tiny_bundle.n_items == 8
    assert tiny_bundle.index_of("bread") == BREAD
    assert tiny_bundle.index_of("unknown") == -1
    assert tiny_bundle.index_of(None) == -1
    assert tiny_bundle.indices_of(["lamp", "x", "banana"]).tolist() == [LAMP, -1, BANANA]


def test_an_item_says_what_a_shopper_sees(tiny_bundle: Bundle):
    bread = tiny_bundle.item(BREAD)
    assert (bread.item_id, bread.title, bread.brand) == ("bread", "Dark Bread", "Mill")
    assert (bread.category, bread.price, bread.available) == ("Grocery > Fresh > Bakery", 4.0, True)
    assert tiny_bundle.item(LAMP).brand is None
    assert tiny_bundle.item(LAMP).price is None
    assert not tiny_bundle.item(PEAR).available
    assert bread.attributes == ()


def test_graph_codes_start_with_the_item_itself_and_are_zero_at_padding(tiny_bundle: Bundle):
    codes = tiny_bundle.history_codes(np.array([[BREAD, -1, LAMP]], np.int32))
    assert codes.tolist() == [[[4, 4, 1, 3], [0, 0, 0, 0], [8, 0, 2, 0]]]


def test_arrays_are_maps_of_the_files_that_nobody_can_write(tiny_bundle: Bundle):
    for name in ARRAYS:
        array = getattr(tiny_bundle, name)
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_most_popular_item_comes_first(tiny_bundle: Bundle):
    assert tiny_bundle.popularity_order.tolist() == [0, 3, 5, 1, 2, 6, 4, 7]


def test_category_paths_hold_what_lies_below_them(tiny_bundle: Bundle):
    within = tiny_bundle.catalogue.within
    assert np.flatnonzero(within("grocery > FRESH")).tolist() == [0, 1, 2, 3, 4]
    assert np.flatnonzero(within("Grocery>Chilled>Dairy")).tolist() == [5, 6]
    assert not within("Fresh").any()
    assert not within("Grocery > Fre").any()


def test_a_blank_text_is_an_unknown_one(directory: Path):
    blank = {"category": [" > "] * 4 + [""] * 4, "brand": [""] * 7 + [" "], "description": [""] * 8}
    ids = pa.array([f"i{n}" for n in range(8)])
    write_items(directory, pa.table({"item_id": ids, "title": ids, **blank}))
    bundle = Bundle.open(directory)
    assert bundle.catalogue.category_codes.tolist() == [-1] * 8
    assert bundle.catalogue.brand_codes.tolist() == [-1] * 8
    item = bundle.item(5)
    assert (item.category, item.brand, item.description, item.price) == (None, None, None, None)


def test_a_pickle_in_an_array_is_refused_and_not_run(directory: Path, tmp_path: Path):
    trace = tmp_path / "executed"
    bomb = np.empty(8, object)
    bomb[:] = [Bomb(trace)] * 8
    np.save(directory / "popularity.npy", bomb, allow_pickle=True)
    with pytest.raises(BundleError, match=r"popularity\.npy"):
        Bundle.open(directory)
    (directory / "popularity.npy").write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(BundleError, match=r"popularity\.npy"):
        Bundle.open(directory)
    assert not trace.exists()


def _save(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda directory: np.save(directory / f"{name}.npy", array)


def _append(directory: Path) -> None:
    with (directory / "popularity.npy").open("ab") as file:
        file.write(b"more")


def _truncate(directory: Path) -> None:
    content = (directory / "popularity.npy").read_bytes()
    (directory / "popularity.npy").write_bytes(content[:-4])


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("popularity.npy", _save("popularity", np.zeros(7, np.float32))),
        ("popularity.npy", _save("popularity", np.zeros((8, 1), np.float32))),
        ("popularity.npy", _save("popularity", np.zeros(8, np.float64))),
        ("popularity.npy", _save("popularity", np.zeros(8, [("a", np.float32)]))),
        ("popularity.npy", _save("popularity", np.full(8, np.nan, np.float32))),
        ("popularity.npy", _append),
        ("popularity.npy", _truncate),
        ("popularity.npy", lambda d: (d / "popularity.npy").unlink()),
        ("popularity.npy", lambda d: (d / "popularity.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")),
        ("item_vectors.npy", _save("item_vectors", np.zeros((8, 0), np.float32))),
        ("item_vectors.npy", _save("item_vectors", np.asfortranarray(np.ones((8, 4), np.float32)))),
        ("search_vectors.npy", _save("search_vectors", np.zeros((7, 2), np.float32))),
        ("search_directions.npy", _save("search_directions", np.zeros((4, 2), np.float32))),
        ("item_features.npy", _save("item_features", np.full((8, 2), np.inf, np.float32))),
        ("item_features.npy", _save("item_features", np.zeros((8, 3), np.float32))),
        ("item_codes.npy", _save("item_codes", np.zeros((8, 4), np.int32))),
        ("item_codes.npy", _save("item_codes", np.full((8, 3), -1, np.int32))),
        ("neighbours.npy", _save("neighbours", np.full((8, 2), 8, np.int32))),
        ("neighbours.npy", _save("neighbours", np.full((8, 2), -2, np.int32))),
        ("neighbour_scores.npy", _save("neighbour_scores", np.zeros((8, 3), np.float32))),
        ("complement_scores.npy", _save("complement_scores", np.zeros((8, 1), np.float32))),
        ("followers.npy", lambda d: (d / "followers.npy").unlink()),
        ("followers.npy", _save("followers", np.full((8, 2), 8, np.int32))),
        ("follower_scores.npy", _save("follower_scores", np.zeros((8, 1), np.float32))),
        ("lookalikes.npy", _save("lookalikes", np.full((8, 2), -2, np.int32))),
        ("lookalike_scores.npy", _save("lookalike_scores", np.full((8, 2), np.nan, np.float32))),
        ("items.parquet", lambda d: (d / "items.parquet").write_bytes(b"PAR1 no table PAR1")),
        ("items.parquet", lambda d: (d / "items.parquet").unlink()),
        ("items.parquet", lambda d: pq.write_table(pa.table({"item_id": ["a"]}), d / "items.parquet")),
        ("spec.json", lambda d: (d / "spec.json").write_text("{")),
        ("spec.json", lambda d: (d / "spec.json").unlink()),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(directory: Path, name: str, spoil: Callable[[Path], None]):
    spoil(directory)
    with pytest.raises(BundleError) as caught:
        Bundle.open(directory)
    assert str(caught.value).startswith(name)
    assert "expected" in str(caught.value)


def test_search_directions_are_of_an_items_numbers(directory: Path):
    write_array(directory, "search_vectors", np.zeros((8, 2)))
    write_array(directory, "search_directions", np.zeros((4, 2)))
    assert Bundle.open(directory).search_vectors.shape == (8, 2)
    write_array(directory, "search_directions", np.zeros((3, 2)))
    with pytest.raises(BundleError, match=r"search_directions\.npy: expected 4 rows.*received 3"):
        Bundle.open(directory)


@pytest.mark.parametrize(
    "change",
    [
        {"history_length": 0},
        {"history_length": "6"},
        {"history_length": True},
        {"history_length_retrieval": 7},
        {"candidates": -1},
        {"event_types": []},
        {"event_types": "view"},
        {"code_columns": ["brand"]},
        {"sources": ["two_tower", "two_tower"]},
        {"profile_features": [{"name": "x"}]},
        {"event_weights": 3},
        {"repeats": "no"},
        {"repeats": 1},
        {"surprise": 1},
        {"format": 2},
    ],
)
def test_a_spec_that_no_graph_could_have_is_refused(directory: Path, change: dict):
    content = json.loads((directory / "spec.json").read_text())
    (directory / "spec.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(BundleError, match=r"spec\.json"):
        Bundle.open(directory)


def test_a_spec_comes_back_as_it_was_written(tiny_bundle: Bundle):

    assert tiny_bundle.spec == SPEC


def test_a_spec_that_says_nothing_of_repeats_means_a_shop_where_one_buys_again(directory: Path):
    content = json.loads((directory / "spec.json").read_text())
    for written, expected in (({}, True), ({"repeats": False}, False), ({"repeats": True}, True)):
        rest = {name: value for name, value in content.items() if name != "repeats"}
        (directory / "spec.json").write_text(json.dumps({**rest, **written}))
        assert Bundle.open(directory).spec.repeats is expected


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("unknown", np.zeros(8)),
        ("popularity", np.zeros((8, 2))),
        ("popularity", np.array(["x"] * 8)),
        ("popularity", np.full(8, np.inf)),
        ("neighbours", np.full((8, 1), 99)),
    ],
)
def test_an_array_of_another_form_is_not_written(tmp_path: Path, name: str, array: np.ndarray):
    with pytest.raises(BundleError, match=name):
        write_array(tmp_path, name, array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "items",
    [
        pa.table({"item_id": ["a", "a"], "title": ["x", "y"]}),
        pa.table({"item_id": ["a", None], "title": ["x", "y"]}),
        pa.table({"item_id": ["a"]}),
    ],
)
def test_a_catalogue_without_one_id_per_item_is_not_written(tmp_path: Path, items: pa.Table):
    with pytest.raises(BundleError, match=r"items\.parquet"):
        write_items(tmp_path, items)


def test_an_item_that_only_events_know_is_neither_offered_nor_shown_as_its_id(tmp_path: Path):
    write_items(tmp_path, pa.table({"item_id": ["a", "b"], "title": ["x", None], "available": [True, True]}))
    stored = pq.read_table(tmp_path / "items.parquet")
    assert stored["title"].to_pylist() == ["x", "Unnamed item"]
    assert stored["available"].to_pylist() == [True, False]


def test_the_items_of_a_shop_without_a_catalogue_are_called_by_their_ids(tmp_path: Path):
    write_items(tmp_path, pa.table({"item_id": ["a", "b"], "title": pa.array([None, None], pa.string())}))
    stored = pq.read_table(tmp_path / "items.parquet")
    assert stored["title"].to_pylist() == ["a", "b"]
    assert stored["available"].to_pylist() == [True, True]


def test_a_spec_written_with_the_earlier_names_of_sources_means_the_same():
    content = json.loads(json.dumps(SPEC.to_json()))
    content["sources"] = ["two_tower", "personal", "item_knn", "followers", "lookalikes", "popularity"]
    content["source_weights"] = {"personal": 1.5, "followers": 0.7, "lookalikes": 0.2, "popularity": 0.4}
    spec = Spec.from_json(content)
    assert spec.sources == DEFAULT_SOURCES
    assert spec.source_weights == {
        "buy_again": 1.5,
        "next_items": 0.7,
        "content_similar": 0.2,
        "popularity": 0.4,
    }


def test_a_weight_of_a_source_that_the_release_does_not_have_is_refused():
    content = json.loads(json.dumps(SPEC.to_json())) | {"source_weights": {"popularty": 1.0}}
    with pytest.raises(BundleError, match="received weights of popularty"):
        Spec.from_json(content)
