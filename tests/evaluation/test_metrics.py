from math import log2

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from pipelines.errors import EvaluationError
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.metrics import METRICS, evaluate_lists, recall_curve

N_ITEMS = 12


def truth_of(*rows, n_items=N_ITEMS):
    sizes = [len(row) for row in rows]
    return GroundTruth(
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        np.array([item for row in rows for item in sorted(row)], np.int32),
        pa.array([f"u{n}" for n in range(len(rows))]),
        n_items,
    )


@st.composite
def cases(draw):
    users = draw(st.integers(1, 6))
    truths = [draw(st.sets(st.integers(0, N_ITEMS - 1), max_size=8)) for _ in range(users)]
    lists = []
    for _ in range(users):
        order = draw(st.permutations(range(N_ITEMS)))
        filled = draw(st.integers(0, 10))
        lists.append([*order[:filled], *([-1] * (10 - filled))])
    return np.array(lists), truth_of(*truths)


def test_every_metric_equals_the_value_worked_out_by_hand():
    # Wished for: items 2, 5, 7. Listed: 5 (hit), 1, 7 (hit), 3, 4.
    values = evaluate_lists(np.array([[5, 1, 7, 3, 4]]), truth_of({2, 5, 7}), ks=(1, 3, 5))
    expected = {
        "recall@1": 1 / 3,
        "precision@1": 1.0,
        "f1@1": 0.5,
        "hit_rate@1": 1.0,
        "ndcg@1": 1.0,
        "mrr@1": 1.0,
        "map@1": 1.0,
        "recall@3": 2 / 3,
        "precision@3": 2 / 3,
        "f1@3": 2 / 3,
        "hit_rate@3": 1.0,
        "ndcg@3": 1.5 / (1 + 1 / log2(3) + 0.5),
        "mrr@3": 1.0,
        "map@3": (1 + 2 / 3) / 3,
        "recall@5": 2 / 3,
        "precision@5": 2 / 5,
        "f1@5": 0.5,
        "hit_rate@5": 1.0,
        "ndcg@5": 1.5 / (1 + 1 / log2(3) + 0.5),
        "mrr@5": 1.0,
        "map@5": (1 + 2 / 3) / 3,
    }
    assert {name: value[0] for name, value in values.items()} == pytest.approx(expected)


def test_the_first_hit_at_rank_three_is_no_hit_at_two():
    values = evaluate_lists(np.array([[0, 1, 2, 3]]), truth_of({2}), ks=(2, 4))
    assert values["mrr@2"][0] == 0
    assert values["mrr@4"][0] == pytest.approx(1 / 3)
    assert values["ndcg@4"][0] == pytest.approx(1 / log2(4))
    assert values["map@4"][0] == pytest.approx(1 / 3)
    assert values["hit_rate@2"][0] == 0
    assert values["f1@2"][0] == 0


def test_more_wishes_than_places_still_allow_a_perfect_list():
    values = evaluate_lists(np.array([[0, 1]]), truth_of({0, 1, 2, 3}), ks=(2,))
    assert values["ndcg@2"][0] == pytest.approx(1)
    assert values["map@2"][0] == pytest.approx(1)
    assert values["precision@2"][0] == pytest.approx(1)
    assert values["recall@2"][0] == pytest.approx(0.5)


def test_empty_places_count_as_misses():
    values = evaluate_lists(np.array([[3, -1, -1, -1]]), truth_of({3}), ks=(4,))
    assert values["precision@4"][0] == pytest.approx(0.25)
    assert values["recall@4"][0] == 1


def test_users_without_truth_are_not_a_number():
    values = evaluate_lists(np.array([[1, 2], [1, 2]]), truth_of(set(), {1}), ks=(2,))
    for name, value in values.items():
        assert np.isnan(value[0]), name
        assert value[1] > 0, name


def test_wishes_outside_the_catalogue_count_as_missed():
    values = evaluate_lists(np.array([[1, 2]]), truth_of({1, N_ITEMS + 3}), ks=(2,))
    assert values["recall@2"][0] == pytest.approx(0.5)


def test_lengths_beyond_the_lists_are_left_out():
    assert list(evaluate_lists(np.array([[1, 2]]), truth_of({1}), ks=(2, 10))) == [f"{m}@2" for m in METRICS]


def test_a_list_that_holds_an_item_twice_is_refused():
    with pytest.raises(EvaluationError, match=r"repeats in 1 lists, first in row 1: \[4, 2, 4\]"):
        evaluate_lists(np.array([[1, 2, 3], [4, 2, 4]]), truth_of({1}, {4}))


def test_recall_by_length_is_the_mean_over_users_with_truth():
    truth = truth_of({0, 1}, {5}, set())
    lists = np.array([[0, 3, 1], [4, 5, 6], [0, 1, 2]])
    assert recall_curve(truth.relevance(lists), truth.sizes).tolist() == pytest.approx([0.25, 0.75, 1.0])


@given(cases())
def test_metrics_lie_between_zero_and_one(case):
    lists, truth = case
    for name, values in evaluate_lists(lists, truth, ks=(1, 3, 10)).items():
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all(), name
        assert np.array_equal(np.isnan(values), truth.sizes == 0), name


@given(cases(), st.randoms(use_true_random=False))
def test_permuting_users_changes_nothing_but_their_order(case, random):
    lists, truth = case
    order = list(range(len(lists)))
    random.shuffle(order)
    original = evaluate_lists(lists, truth, ks=(3, 10))
    permuted = evaluate_lists(lists[order], truth.take(np.array(order)), ks=(3, 10))
    for name, values in original.items():
        np.testing.assert_array_equal(permuted[name], values[order])


@given(st.sets(st.integers(0, N_ITEMS - 1), min_size=1, max_size=10))
def test_a_perfect_list_gives_one(wishes):
    rest = [item for item in range(N_ITEMS) if item not in wishes]
    lists = np.array([[*sorted(wishes), *rest]])
    values = evaluate_lists(lists, truth_of(wishes), ks=(len(wishes),))
    for name, value in values.items():
        assert value[0] == pytest.approx(1), name


@given(cases())
def test_recall_and_hits_never_fall_with_longer_lists(case):
    lists, truth = case
    values = evaluate_lists(lists, truth, ks=(1, 5, 10))
    for metric in ("recall", "hit_rate", "mrr"):
        grown = np.diff([values[f"{metric}@{k}"] for k in (1, 5, 10)], axis=0)
        assert (grown[~np.isnan(grown)] >= 0).all(), metric


def test_ndcg_and_map_equal_scikit_learn_on_random_lists():
    random = np.random.default_rng(7)
    users, n_items = 200, 60
    scores = random.random((users, n_items))
    relevant = random.random((users, n_items)) < 0.1
    relevant[:, 0] |= ~relevant.any(axis=1)
    truth = truth_of(*[set(np.flatnonzero(row)) for row in relevant], n_items=n_items)
    lists = np.argsort(-scores, axis=1)
    values = evaluate_lists(lists, truth, ks=(10, n_items))
    assert values["ndcg@10"].mean() == pytest.approx(ndcg_score(relevant, scores, k=10))
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(values[f"map@{n_items}"], expected)
