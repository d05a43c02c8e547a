from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.beyond_accuracy import catalogue_variety, gini, list_variety
from pipelines.evaluation.item_facts import Catalogue


def catalogue(popularity, categories):
    return Catalogue(
        np.array(popularity, float),
        np.zeros(len(popularity), np.int8),
        np.array(categories, np.int32),
        ("Drinks", "Garden"),
    )


SHOP = catalogue([6, 2, 0, 0], [0, 0, 1, -1])


def test_novelty_is_the_mean_surprise_in_bits():
    # With one more each, the shares are 7/12, 3/12, 1/12 and 1/12.
    values = list_variety(np.array([[0, 2, 1], [1, -1, -1]]), SHOP, ks=(1, 3))
    assert values["novelty@1"].tolist() == pytest.approx([log2(12 / 7), log2(4)])
    assert values["novelty@3"].tolist() == pytest.approx([(log2(12 / 7) + log2(12) + 2) / 3, 2])


def test_diversity_is_the_share_of_pairs_from_different_categories():
    values = list_variety(np.array([[0, 1, 2]]), SHOP, ks=(1, 2, 3))
    assert np.isnan(values["diversity@1"][0])
    assert values["diversity@2"][0] == 0
    assert values["diversity@3"][0] == pytest.approx(2 / 3)


def test_pairs_of_unknown_category_are_left_out():
    values = list_variety(np.array([[0, 3, 2], [3, -1, -1]]), SHOP, ks=(3,))
    assert values["diversity@3"][0] == 1
    assert np.isnan(values["diversity@3"][1])


def test_empty_lists_have_nothing_to_measure():
    assert all(np.isnan(value[0]) for value in list_variety(np.array([[-1, -1]]), SHOP, ks=(2,)).values())


def test_coverage_counts_distinct_items_of_all_lists():
    lists = np.array([[0, 1], [0, 2], [0, -1]])
    values = catalogue_variety(lists, SHOP, ks=(1, 2))
    assert values["coverage@1"] == 0.25
    assert values["coverage@2"] == 0.75
    # Three places at k = 1, the catalogue's four items at k = 2.
    assert values["reachable_coverage@1"] == pytest.approx(1 / 3)
    assert values["reachable_coverage@2"] == 0.75


def test_padding_is_no_place_that_could_show_an_item():
    values = catalogue_variety(np.array([[0, -1], [1, -1]]), SHOP, ks=(2,))
    assert values["reachable_coverage@2"] == 1


def test_gini_runs_from_evenness_to_one_item_that_takes_all():
    assert gini(np.array([3, 3, 3, 3])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    # Mean absolute difference of 1 and 3 is 1 over all ordered pairs, mean 2: 1 / (2 * 2).
    assert gini(np.array([1, 3])) == pytest.approx(0.25)
    assert gini(np.zeros(5)) == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(amounts):
    x = np.array(amounts, float)
    expected = np.abs(x[:, None] - x).mean() / (2 * x.mean()) if x.sum() else 0
    assert gini(x) == pytest.approx(expected, abs=1e-12)


@given(st.permutations(range(12)), st.integers(0, 3))
def test_diversity_equals_a_loop_over_the_pairs(order, seed):
    codes = np.random.default_rng(seed).integers(-1, 3, 12)
    shop = catalogue(np.ones(12), codes)
    items = order[:6]
    pairs = [
        codes[a] != codes[b]
        for n, a in enumerate(items)
        for b in items[:n]
        if codes[a] >= 0 and codes[b] >= 0
    ]
    value = list_variety(np.array([items]), shop, ks=(6,))["diversity@6"][0]
    assert np.isnan(value) if not pairs else value == pytest.approx(np.mean(pairs))
