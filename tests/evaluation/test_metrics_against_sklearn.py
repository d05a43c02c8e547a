"""The metrics of lists against scikit-learn's on random input."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import (
    f1_score,
    label_ranking_average_precision_score,
    ndcg_score,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.metrics import evaluate_lists
from pipelines.evaluation.ranking import rank_scores

USERS, N_ITEMS = 300, 80


def truth_of(relevant):
    rows, items = np.nonzero(relevant)
    indptr = np.searchsorted(rows, np.arange(len(relevant) + 1)).astype(np.int64)
    return GroundTruth(
        indptr, items.astype(np.int32), pa.array([f"{user:03d}" for user in range(len(relevant))]), N_ITEMS
    )


@pytest.fixture(scope="module", params=[1, 2, 3])
def drawn(request):
    """Scores `[USERS, N_ITEMS]`, and which items are relevant: at least one for each user."""
    random = np.random.default_rng(request.param)
    scores = random.random((USERS, N_ITEMS))
    relevant = random.random((USERS, N_ITEMS)) < 0.02 * request.param
    relevant[np.arange(USERS), random.integers(0, N_ITEMS, USERS)] = True
    return scores, relevant


@pytest.mark.parametrize("k", [1, 5, 10, 20])
def test_recall_precision_f1_and_ndcg_are_those_of_scikit_learn(drawn, k):
    scores, relevant = drawn
    lists = rank_scores(scores, k)
    listed = np.zeros(scores.shape, bool)
    np.put_along_axis(listed, lists.astype(np.int64), values=True, axis=1)
    values = evaluate_lists(lists, truth_of(relevant), ks=(k,))
    means = {name: value.mean() for name, value in values.items()}
    assert means[f"recall@{k}"] == pytest.approx(recall_score(relevant, listed, average="samples"))
    assert means[f"precision@{k}"] == pytest.approx(precision_score(relevant, listed, average="samples"))
    f1 = f1_score(relevant, listed, average="samples", zero_division=0)
    assert means[f"f1@{k}"] == pytest.approx(f1)
    assert means[f"ndcg@{k}"] == pytest.approx(ndcg_score(relevant, scores, k=k))


def test_map_over_the_whole_catalogue_is_the_ranking_precision_of_scikit_learn(drawn):
    scores, relevant = drawn
    values = evaluate_lists(rank_scores(scores, N_ITEMS), truth_of(relevant), ks=(N_ITEMS,))
    expected = label_ranking_average_precision_score(relevant, scores)
    assert values[f"map@{N_ITEMS}"].mean() == pytest.approx(expected)


def test_with_one_wish_mrr_is_the_ranking_precision_and_hits_are_the_accuracy_of_scikit_learn():
    random = np.random.default_rng(9)
    scores = random.random((USERS, N_ITEMS))
    target = random.integers(0, N_ITEMS, USERS)
    relevant = np.zeros((USERS, N_ITEMS), bool)
    relevant[np.arange(USERS), target] = True
    values = evaluate_lists(rank_scores(scores, N_ITEMS), truth_of(relevant), ks=(5, N_ITEMS))
    expected = label_ranking_average_precision_score(relevant, scores)
    assert values[f"mrr@{N_ITEMS}"].mean() == pytest.approx(expected)
    accuracy = top_k_accuracy_score(target, scores, k=5, labels=np.arange(N_ITEMS))
    assert values["hit_rate@5"].mean() == pytest.approx(accuracy)
