import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import EvaluationError
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.metrics import evaluate_lists
from pipelines.evaluation.ranking import rank_scores


def test_the_best_come_first():
    scores = np.array([[0.1, 0.9, 0.5], [3.0, 1.0, 2.0]])
    assert rank_scores(scores, 2).tolist() == [[1, 2], [0, 2]]


def test_minus_infinity_is_never_listed_and_short_lists_are_padded():
    scores = np.array([[-np.inf, 1.0, -np.inf], [0.0, 1.0, 2.0]])
    assert rank_scores(scores, 4).tolist() == [[1, -1, -1, -1], [2, 1, 0, -1]]


def test_seen_items_are_left_out_and_the_scores_stay_as_they_were():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert rank_scores(scores, 1, seen=(np.array([0, 2, 2]), np.array([0, 1]))).tolist() == [[2], [0]]
    assert scores[0].tolist() == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("n_items", [40, 6000])
def test_lists_equal_a_full_sort_where_there_are_no_ties(n_items):
    scores = (
        np.random.default_rng(1).permuted(np.tile(np.arange(n_items), (50, 1)), axis=1).astype(np.float32)
    )
    assert np.array_equal(rank_scores(scores, 20), np.argsort(-scores, axis=1)[:, :20])


@pytest.mark.parametrize("n_items", [40, 6000])
@pytest.mark.parametrize("levels", [1, 3, 50])
def test_tied_lists_hold_the_best_scores_without_repeats(n_items, levels):
    scores = np.random.default_rng(2).integers(0, levels, (40, n_items)).astype(np.float32)
    lists = rank_scores(scores, 20)
    assert np.array_equal(np.take_along_axis(scores, lists, 1), -np.sort(-scores, axis=1)[:, :20])
    assert all(len(set(row)) == 20 for row in lists.tolist())


@pytest.mark.parametrize("n_items", [100, 5000])
def test_constant_scores_reach_chance_and_no_more(n_items):
    # TRAPS: ids numbered by first appearance make ties leak; the truth here is the first tenth of all ids.
    users, tenth = 2000, n_items // 10
    truth = GroundTruth(
        np.arange(users + 1) * tenth,
        np.tile(np.arange(tenth, dtype=np.int32), users),
        pa.array([str(u) for u in range(users)]),
        n_items,
    )
    lists = rank_scores(np.zeros((users, n_items), np.float32), 10)
    # Precision's standard error is sqrt(.1 * .9 / 20,000) = .0021; five of them are .0106.
    assert abs(evaluate_lists(lists, truth, (10,))["precision@10"].mean() - 0.1) < 0.0106
    # Every place is chance, also the first.
    assert abs(evaluate_lists(lists, truth, (1,))["precision@1"].mean() - 0.1) < 5 * 0.0067


def test_constant_scores_show_every_item_about_equally_often():
    lists = rank_scores(np.zeros((4000, 50)), 5)
    counts = np.bincount(lists.ravel(), minlength=50)
    # 400 expected for each item, standard deviation about 19.
    assert counts.min() > 400 - 5 * 19
    assert counts.max() < 400 + 5 * 19


def test_ties_do_not_depend_on_how_users_are_cut_into_batches():
    scores = np.random.default_rng(3).integers(0, 3, (30, 400)).astype(np.float32)
    whole = rank_scores(scores, 10, rows=np.arange(30))
    parts = [rank_scores(scores[s : s + 7], 10, rows=np.arange(30)[s : s + 7]) for s in range(0, 30, 7)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_another_seed_breaks_ties_otherwise():
    scores = np.zeros((5, 1000))
    assert np.array_equal(rank_scores(scores, 10, seed=1), rank_scores(scores, 10, seed=1))
    assert not np.array_equal(rank_scores(scores, 10, seed=1), rank_scores(scores, 10, seed=2))


def test_nan_and_nothing_to_rank_are_refused():
    with pytest.raises(EvaluationError, match="received NaN"):
        rank_scores(np.array([[1.0, np.nan]]), 1)
    with pytest.raises(EvaluationError, match="received shape"):
        rank_scores(np.zeros((3, 0)), 1)
    with pytest.raises(EvaluationError, match="k 0"):
        rank_scores(np.zeros((3, 2)), 0)


def test_no_users_give_no_lists():
    assert rank_scores(np.zeros((0, 7)), 3).shape == (0, 3)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 6), st.integers(0, 9))
def test_every_list_is_a_best_list(n_items, k, levels, seed):
    scores = np.random.default_rng(seed).integers(0, levels, (4, n_items)).astype(float)
    lists = rank_scores(scores, k, seed=seed)
    listed = min(k, n_items)
    assert (lists[:, listed:] == -1).all()
    assert np.array_equal(np.take_along_axis(scores, lists[:, :listed], 1), -np.sort(-scores, 1)[:, :listed])
