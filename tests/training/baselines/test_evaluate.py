import numpy as np
import pytest

from pipelines.training.baselines.evaluate import ValidationSet
from pipelines.training.data.histories import Histories
from tests.training.baselines.small_field import leave_one_out, sequences
from tests.training.baselines.test_recommender import Fixed


def test_the_judge_looks_at_what_came_after_with_seen_items_left_out():
    # User 0 wants item 2, user 1 item 0; item 0 is first on the list, and user 0 has seen it.
    judge = ValidationSet.of(leave_one_out(sequences([0, 1, 2], [1, 0], [3]), 4))
    # User 0: 3 2, found at rank 2; user 1: 0, found at rank 1.
    assert judge.ndcg(Fixed(5, 1, 2, 3)) == pytest.approx((1 / np.log2(3) + 1) / 2)


def test_seen_items_stay_where_repeats_are_wanted():
    judge = ValidationSet.of(leave_one_out(sequences([0, 0], [0, 0]), 3, repeats=True))
    assert judge.ndcg(Fixed(2, 1, 0)) == 1
    judge = ValidationSet.of(leave_one_out(sequences([0, 0], [0, 0]), 3))
    assert judge.ndcg(Fixed(2, 1, 0)) == 0


def test_users_of_whom_nothing_is_said_count_as_missed():
    judge = ValidationSet.of(leave_one_out(sequences([0, 1], [0, 2]), 3))
    assert judge.ndcg(Fixed(0, 1, 0)) == pytest.approx(0.5)


def test_many_users_are_sampled_with_the_seed(monkeypatch: pytest.MonkeyPatch):
    trial = leave_one_out(sequences(*[[0, 1]] * 50), 2)
    assert len(ValidationSet.of(trial).histories) == 50
    monkeypatch.setattr("pipelines.training.baselines.evaluate.JUDGED_USERS", 7)
    first, second = ValidationSet.of(trial), ValidationSet.of(trial)
    assert len(first.histories) == 7
    assert first.histories.users.tolist() == second.histories.users.tolist()
    assert first.truth.sizes.tolist() == [1] * 7


def test_a_constant_score_is_worth_what_chance_is():
    # 400 users, 20 items, one seen: 10 of 19 places, each 1/19 of the sum of 1 / log2(rank + 1).
    judge = ValidationSet.of(
        leave_one_out(sequences(*[[user % 20, (user + 7) % 20] for user in range(400)]), 20)
    )

    class Constant:
        def scores(self, histories: Histories) -> np.ndarray:
            return np.ones((len(histories), 20), np.float32)

    chance = (1 / np.log2(np.arange(2, 12))).sum() / 19
    assert judge.ndcg(Constant()) == pytest.approx(chance, abs=4 * 0.26 / 20)
