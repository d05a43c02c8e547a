from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.backtest.models.top_k import list_requests, popularity_below_zero
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.metrics import evaluate_lists
from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions
from pipelines.training.data.model_split import EvaluationPoint


@dataclass
class Constant:
    """Says the same of every item."""

    n_items: int
    value: float

    def scores(self, histories):
        return np.full((len(histories), self.n_items), self.value, np.float32)


@dataclass
class OwnItems:
    """Scores the items of a history, the newest highest, and says nothing of others."""

    n_items: int

    def scores(self, histories):
        scores = np.zeros((len(histories), self.n_items), np.float32)
        scores[histories.rows, histories.items] = 1 / (1 + histories.places)
        return scores


def interactions(pairs):
    users, items = zip(*pairs, strict=True)
    n = len(pairs)
    return Interactions(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.ones(n, np.int32),
        np.arange(n),
        np.arange(n),
        np.full(n, np.nan, np.float32),
    )


def stage_of(pairs, users):
    known = interactions(pairs)
    users = np.array(users)
    return EvaluationPoint(known, Histories.of(known, users, np.full(len(users), 10**6)))


# Item 3 has three known events, item 0 two, item 1 one, item 2 none.
STAGE = stage_of([(0, 0), (0, 3), (1, 3), (1, 1), (2, 0), (2, 3)], [0, 1, -1])


def test_what_is_said_comes_first_and_popular_items_fill_the_list():
    lists = list_requests(OwnItems(4), STAGE, 4, 4, repeats=True)
    assert lists.tolist() == [[3, 0, 1, 2], [1, 3, 0, 2], [3, 0, 1, 2]]


def test_seen_items_are_never_listed_where_they_may_not_come_again():
    lists = list_requests(OwnItems(4), STAGE, 4, 4, repeats=False)
    assert lists.tolist() == [[1, 2, -1, -1], [0, 2, -1, -1], [3, 0, 1, 2]]


def test_some_requests_get_the_lists_that_they_get_among_all():
    stage = stage_of([(user, user % 7) for user in range(300)], np.arange(300))
    model = Constant(40, 1.0)
    whole = list_requests(model, stage, 40, 5, repeats=True)
    some = np.array([250, 3, 77])
    assert list_requests(model, stage, 40, 5, repeats=True, requests=some).tolist() == whole[some].tolist()


def test_equally_popular_items_are_equal_below_zero():
    assert popularity_below_zero(STAGE, 4).tolist() == [-1.25, -1.5, -1.75, -1.0]


def test_a_constant_model_measures_as_chance_though_ids_are_numbered_by_first_appearance():
    # TRAPS: the answers are the tenth of the items that appeared last.
    users, n_items = 2000, 500
    stage = stage_of([(user, user % 450) for user in range(users)], np.arange(users))
    late = np.arange(450, 500, dtype=np.int32)
    truth = GroundTruth(
        np.arange(users + 1) * len(late),
        np.tile(late, users),
        pa.array([f"{user:04d}" for user in range(users)]),
        n_items,
    )
    lists = list_requests(Constant(n_items, 1.0), stage, n_items, 10, repeats=True)
    # Precision's standard error is sqrt(.1 * .9 / 20,000) = .0021.
    assert abs(evaluate_lists(lists, truth, (10,))["precision@10"].mean() - 0.1) < 5 * 0.0021
    assert abs(evaluate_lists(lists, truth, (1,))["precision@1"].mean() - 0.1) < 5 * 0.0067
