"""Categories and price bands as codes."""

import pyarrow as pa
import pytest

from serving.engine.intent import ItemGroups

CATEGORIES = pa.array(["Food > Fruit", "Food > Bread", "Home", None, "Food"])
PRICES = pa.array([1.0, 2.0, 3.0, 4.0, None])


def test_top_categories_come_by_size_and_unknown_ones_have_no_code():
    groups = ItemGroups.fit(CATEGORIES, PRICES)
    assert groups.categories == ("Food", "Home")
    others = groups.codes(pa.array(["Home > Lamps", "Garden"]), pa.array([None, 9.0]))
    assert others[:, 0].tolist() == [2, 0]
    assert groups.codes(CATEGORIES, PRICES)[:, 0].tolist() == [1, 1, 2, 0, 1]


def test_price_bands_hold_about_as_many_items_each():
    groups = ItemGroups(("Food",), (1.6, 2.2, 2.8, 3.4))
    assert groups.sizes == (1, 5)
    assert groups.codes(CATEGORIES, PRICES)[:, 1].tolist() == [1, 2, 4, 5, 0]
    assert groups.price_range(1) == (None, 1.6)
    assert groups.price_range(5) == (3.4, None)
    fitted = ItemGroups.fit(pa.array(["a"] * 100), pa.array([float(price) for price in range(100)]))
    assert fitted.price_edges == pytest.approx((19.8, 39.6, 59.4, 79.2))


def test_a_shop_without_categories_and_prices_has_no_groups():
    nothing = pa.nulls(3, pa.string()), pa.nulls(3, pa.float64())
    groups = ItemGroups.fit(*nothing)
    assert groups.sizes == (0, 0)
    assert groups.codes(*nothing).tolist() == [[0, 0]] * 3
