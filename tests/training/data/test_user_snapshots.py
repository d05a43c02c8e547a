"""When users' features are known to retrieval's training, and which of them an event may see."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.split import TimeSplit
from pipelines.training.data.training_data import UserStates
from pipelines.training.data.user_snapshots import state_instants, states_at

FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def states(*known: tuple[int, int]) -> UserStates:
    """States of (user, unix seconds), ascending."""
    rows, at_s = (np.array([pair[place] for pair in known], np.int64) for place in (0, 1))
    return UserStates(rows, at_s, np.zeros((len(known), 1), np.float32), np.zeros((len(known), 0), np.int32))


def test_an_event_sees_the_last_state_up_to_its_own_instant():
    known = states((1, 100), (1, 200), (4, 50))
    users = np.array([1, 1, 1, 1, 4, 4], np.int32)
    times = np.array([99, 100, 199, 200, 49, 10_000])
    assert states_at(known, users, times).tolist() == [-1, 0, 0, 1, -1, 2]


def test_nobody_sees_the_state_of_another():
    known = states((1, 100), (4, 50))
    users, times = np.array([[0, 2], [3, 5]]), np.array([[500, 500], [500, 500]])
    assert states_at(known, users, times).tolist() == [[-1, -1], [-1, -1]]
    assert states_at(states(), users, times).tolist() == [[-1, -1], [-1, -1]]


@given(
    st.sets(st.tuples(st.integers(0, 3), st.integers(-30, 30)), max_size=12),
    st.lists(st.tuples(st.integers(0, 4), st.integers(-40, 40)), min_size=1, max_size=12),
)
def test_states_are_those_that_a_search_one_by_one_finds(known: set, asked: list):
    ordered = sorted(known)
    users, times = (np.array([pair[place] for pair in asked]) for place in (0, 1))
    for place, found in zip(asked, states_at(states(*ordered), users, times), strict=True):
        mine = [row for row, (user, at) in enumerate(ordered) if user == place[0] and at <= place[1]]
        assert found == (mine[-1] if mine else -1)


def test_instants_lie_a_week_apart_before_the_end_of_retrievals_events():
    split = TimeSplit.plan(FIRST, FIRST + timedelta(days=300), horizon_days=10, ranking_requests=2)
    instants = state_instants(split, 7)
    assert instants[-1] == split.retrieval_until - timedelta(days=7)
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(instants))
    assert FIRST <= instants[0] < FIRST + timedelta(days=7)


def test_a_short_shop_gets_its_instants_closer_together():
    split = TimeSplit.plan(FIRST, FIRST + timedelta(days=10))
    instants = state_instants(split, 7)
    assert len(instants) == 20
    assert FIRST <= instants[0] < instants[-1] < split.retrieval_until
