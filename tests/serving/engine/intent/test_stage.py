"""The stage of a session, from what it did."""

import numpy as np
import pytest

from serving.engine.intent.stage import stage_of


def stage(items: list[int], categories: list[int], probability: float = 0.1):
    return stage_of(probability, 0.5, np.array(items, np.int32), np.array(categories, np.int32))


def test_a_probable_purchase_is_about_to_buy_whatever_was_looked_at():
    assert stage([1], [1], probability=0.5) == "about_to_buy"


@pytest.mark.parametrize(
    ("items", "categories", "expected"),
    [
        ([1], [1], "browsing"),
        ([1, 2], [1, 2], "browsing"),
        ([1, 2, 3], [1, 1, 2], "comparing"),  # two of three events in one category, on two items
        ([1, 1, 1], [1, 1, 1], "browsing"),  # one item alone is not compared with anything
        ([1, 2, 1], [0, 0, 0], "comparing"),  # came back to an item after another one
        ([1, 1, 2], [0, 0, 0], "browsing"),
        ([-1, -1], [0, 0], "browsing"),
    ],
)
def test_looking_at_several_of_a_kind_is_comparing(items, categories, expected):
    assert stage(items, categories) == expected
