"""How retrieval is judged on validation, worked out by hand."""

from math import log2

import numpy as np

from pipelines.evaluation import ndcg_of_ranks
from pipelines.training.retrieval.validation import LENGTH, ranks_of


def test_an_items_rank_is_the_number_of_better_ones():
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, -np.inf]], np.float32)
    ranks = ranks_of(scores, np.array([0, 0, 1]), np.array([1, 0, 1]))
    assert ranks.tolist() == [0, 2, 1]


def test_behind_the_first_hundred_nothing_counts():
    scores = -np.arange(LENGTH + 5, dtype=np.float32)[None, :]
    ranks = ranks_of(scores, np.zeros(2, np.int64), np.array([LENGTH - 1, LENGTH]))
    assert ranks.tolist() == [LENGTH - 1, LENGTH]
    assert ndcg_of_ranks(ranks[1:], np.zeros(1, np.int64), 1, LENGTH).tolist() == [0]


def test_ndcg_holds_what_was_found_against_the_best_list():
    # The first user's two items are first and third, the second user's only one is second.
    ranks, rows = np.array([0, 2, 1]), np.array([0, 0, 1])
    first = (1 + 1 / log2(4)) / (1 + 1 / log2(3))
    np.testing.assert_allclose(ndcg_of_ranks(ranks, rows, 2, LENGTH), [first, 1 / log2(3)])
