"""Items as codes: paths, brands, vocabulary, words and prices."""

import numpy as np
import pyarrow as pa

from pipelines.training.data.item_codes import (
    CODE_COLUMNS,
    attribute_codes,
    item_codes,
    price_levels,
    title_words,
)

CATALOGUE = pa.table(
    {
        "title": ["Fresh Milk, 1 L", "Fresh Bread", "Rye bread", "7"],
        "category": ["Food > Dairy > Milk", "Food > Bakery", "Food > Bakery > Rye > Dark", ""],
        "brand": ["A", "B", "A", None],
    }
)


def column(codes: np.ndarray, name: str) -> list[int]:
    return codes[:, CODE_COLUMNS.index(name)].tolist()


def test_a_level_is_the_path_down_to_it_and_zero_where_a_path_ends():
    codes = item_codes(CATALOGUE, np.array([5, 5, 5, 5]), 1)
    assert column(codes, "category_1") == [1, 1, 1, 0]
    assert column(codes, "category_2") == [2, 1, 1, 0]
    assert column(codes, "category_3") == [2, 0, 1, 0]
    assert column(codes, "brand") == [1, 2, 1, 0]


def test_rare_items_share_the_unknown_code():
    codes = item_codes(CATALOGUE, np.array([3, 2, 9, 0]), min_item_events=3)
    assert column(codes, "item") == [1, 0, 2, 0]


def test_where_there_are_too_many_items_the_most_frequent_have_codes():
    codes = item_codes(CATALOGUE, np.array([3, 5, 9, 4]), min_item_events=4, max_item_ids=2)
    assert column(codes, "item") == [0, 1, 2, 0]
    assert column(item_codes(CATALOGUE, np.array([3, 5, 9, 4]), 4, max_item_ids=3), "item") == [0, 1, 2, 3]


def test_attributes_that_several_items_share_have_codes():
    lists = pa.array([["red", "new"], ["red", "big", "new"], None, ["odd"]], pa.list_(pa.string()))
    codes = attribute_codes(CATALOGUE.append_column("attributes", lists))
    red, new = codes[0, :2]
    assert codes.shape == (4, 12)
    assert {red, new} == {1, 2}
    assert codes[1, :3].tolist() == [red, 0, new]
    assert not codes[2:].any()
    assert attribute_codes(CATALOGUE).shape == (4, 0)


def test_a_catalogue_of_bare_ids_has_no_content():
    codes = item_codes(pa.table({"title": ["x", "y"]}), np.array([1, 1]), 1)
    assert codes.tolist() == [[1, 0, 0, 0, 0], [2, 0, 0, 0, 0]]


def test_words_that_several_titles_share_have_codes():
    words = title_words(CATALOGUE)
    fresh, bread = words[0, 0], words[1, 1]
    assert {fresh, bread} == {1, 2}
    assert words[0].tolist() == [fresh, 0, 0, 0, 0, 0]
    assert words[1, :2].tolist() == [fresh, bread]
    assert words[2, :2].tolist() == [0, bread]
    assert not words[3].any()


def test_prices_are_levelled_by_quantiles_and_zero_is_unknown():
    levels = price_levels(np.array([1.0, 2.0, 3.0, 4.0, np.nan]), levels=2)
    assert levels.tolist() == [1, 1, 2, 2, 0]
    assert price_levels(np.full(3, np.nan)).tolist() == [0, 0, 0]
