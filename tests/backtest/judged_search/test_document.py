import math

import numpy as np
import pytest

from pipelines.backtest.judged_search.document import measured
from pipelines.backtest.judged_search.judgments import JudgedQuery


def query(**grades: float) -> JudgedQuery:
    items = np.array([int(name[1:]) for name in grades])
    return JudgedQuery("tea", "1", items, np.array(list(grades.values())))


def test_figures_of_one_list_are_those_worked_out_by_hand():
    # Listed: unjudged 9, then grade 3, then grade 0, then grade 1.
    ndcg, at_50, at_100, mrr, of_judged = measured(
        query(i1=3.0, i2=0.0, i3=1.0, i4=2.0), np.array([9, 1, 2, 3]), 2.0
    )
    best = 7 + 3 / math.log2(3) + 1 / 2
    assert ndcg == pytest.approx((7 / math.log2(3) + 1 / math.log2(5)) / best)
    assert (at_50, at_100, mrr) == (0.5, 0.5, 0.5)
    assert of_judged == pytest.approx((7 + 1 / 2) / best)


def test_recall_counts_the_first_50_and_100():
    listed = np.arange(100, 200)
    _, at_50, at_100, mrr, _ = measured(query(i110=2.0, i170=2.0), listed, 2.0)
    assert (at_50, at_100) == (0.5, 1.0)
    assert mrr == pytest.approx(1 / 11)


def test_a_search_query_without_an_item_to_find_does_not_count():
    assert np.isnan(measured(query(i1=0.0), np.array([1]), 2.0)).all()


def test_an_empty_list_of_a_search_query_with_items_to_find_is_zero():
    assert measured(query(i1=3.0), np.array([], np.int64), 2.0) == [0.0, 0.0, 0.0, 0.0, 0.0]
