import numpy as np
import pytest

from pipelines.training.baselines.evaluate import ranked_lists
from pipelines.training.baselines.recommender import WithFallback
from pipelines.training.data.histories import Histories
from tests.training.baselines.small_field import asking


class Fixed:
    """The same scores for everybody."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def scores(self, histories: Histories) -> np.ndarray:
        return np.tile(np.array(self.values, np.float32), (len(histories), 1))


def test_the_other_speaks_below_what_the_first_one_says():
    # The first one's least is 2; the other's most is 8: its values are scaled by 2 / 16.
    scores = WithFallback(Fixed(0, 2, -1, 4), Fixed(8, 1, 4, 0)).scores(asking([]))
    assert scores.tolist() == [[1.0, 2.0, 0.5, 4.0]]


def test_who_is_known_to_nobody_gets_the_others_scores_as_they_are():
    assert WithFallback(Fixed(0, 0), Fixed(8, 3)).scores(asking([])).tolist() == [[8.0, 3.0]]
    assert WithFallback(Fixed(0, 5), Fixed(0, 0)).scores(asking([])).tolist() == [[0.0, 5.0]]


def test_lists_leave_out_seen_items_unless_repeats_are_wanted():
    model, histories = Fixed(5, 4, 3, 0), asking([1], [0])
    assert ranked_lists(model, histories, 3, repeats=False).tolist() == [[0, 2, -1], [1, 2, -1]]
    assert ranked_lists(model, histories, 2, repeats=True).tolist() == [[0, 1], [0, 1]]


def test_lists_do_not_depend_on_how_many_users_are_asked_at_once(monkeypatch: pytest.MonkeyPatch):
    histories = asking(*[[0]] * 40)
    whole = ranked_lists(Fixed(*[1.0] * 30), histories, 5, repeats=False)
    monkeypatch.setattr("pipelines.training.baselines.evaluate.USER_BATCH_SIZE", 7)
    np.testing.assert_array_equal(ranked_lists(Fixed(*[1.0] * 30), histories, 5, repeats=False), whole)


def test_constant_scores_list_every_item_equally_often():
    lists = ranked_lists(Fixed(*[1.0] * 20), asking(*[[]] * 4_000), 1, repeats=True)
    counts = np.bincount(lists.ravel(), minlength=20)
    # 200 expected of each; five standard deviations are 69.
    assert abs(counts - 200).max() < 69
