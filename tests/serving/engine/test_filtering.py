import numpy as np
import pytest

from serving.bundle import Bundle
from serving.engine.filtering import Filters
from tests.serving.tiny_bundle import APPLE, BANANA, BREAD, BUTTER, CHEESE, LAMP, PEAR, ROLL

EVERYTHING = Filters(in_stock_only=False)


def admitted(bundle: Bundle, **wishes) -> list[int]:
    mask = Filters(**{"in_stock_only": False, **wishes}).mask(bundle)
    return list(range(8)) if mask is None else np.flatnonzero(mask).tolist()


def test_no_wish_needs_no_mask(tiny_bundle: Bundle):
    assert EVERYTHING.mask(tiny_bundle) is None
    assert Filters(in_stock_only=False, exclude_ids=("unknown",), category=" > ").mask(tiny_bundle) is None


def test_what_is_not_available_is_left_out_unless_asked_for(tiny_bundle: Bundle):
    assert np.flatnonzero(~Filters().mask(tiny_bundle)).tolist() == [PEAR]


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"category": "grocery"}, [BANANA, APPLE, PEAR, BREAD, ROLL, BUTTER, CHEESE]),
        ({"category": "Grocery > Fresh > Bakery"}, [BREAD, ROLL]),
        ({"category": "Garage"}, []),
        ({"brands": ("MILL", "alpine")}, [BREAD, ROLL, BUTTER, CHEESE]),
        ({"brands": ("nobody",)}, []),
        ({"min_price": 2.5}, [PEAR, BREAD, BUTTER, CHEESE]),
        ({"max_price": 1.5}, [BANANA, ROLL]),
        ({"min_price": 2.0, "max_price": 3.0}, [APPLE, PEAR, BUTTER]),
        ({"min_price": float("nan")}, []),
        ({"exclude_ids": ("lamp", "bread", "?")}, [BANANA, APPLE, PEAR, ROLL, BUTTER, CHEESE]),
        ({"category": "grocery > fresh", "max_price": 2.0, "exclude_ids": ("roll",)}, [BANANA, APPLE]),
    ],
)
def test_every_wish_is_met(tiny_bundle: Bundle, wishes: dict, expected: list[int]):
    assert admitted(tiny_bundle, **wishes) == expected


def test_an_item_without_price_or_brand_meets_no_wish_about_them(tiny_bundle: Bundle):
    assert LAMP not in admitted(tiny_bundle, min_price=0.0)
    assert LAMP not in admitted(tiny_bundle, max_price=1e9)
    assert LAMP not in admitted(tiny_bundle, brands=("Mill", ""))
