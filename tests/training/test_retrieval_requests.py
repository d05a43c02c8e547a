"""Retrieval's requests: histories before the instant, labels behind it, nothing behind retrieval's end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.split import TimeSplit
from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.requests import request_instants, retrieval_requests
from pipelines.training.shop import Interactions
from pipelines.training.training_set import UserStates

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SPLIT = TimeSplit.plan(FIRST, FIRST + timedelta(days=200), horizon_days=10, ranking_requests=2)
NOTHING_KNOWN = UserStates(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 1), np.float32), np.zeros((0, 0), np.int32)
)


def interactions(rows: list[tuple[int, float]]) -> Interactions:
    """Rows of (user, day), the item being the row's place."""
    rows = sorted(rows)
    count = len(rows)
    return Interactions(
        users=np.array([user for user, _ in rows], np.int32),
        items=np.arange(count, dtype=np.int32),
        types=np.ones(count, np.int32),
        times=np.array([int(FIRST.timestamp() + day * 86_400) for _, day in rows], np.int64),
        baskets=np.arange(count, dtype=np.int64),
        ratings=np.full(count, np.nan, np.float32),
    )


def test_a_history_ends_and_labels_begin_at_the_instant():
    # User 0: days 1, 5, 9 (the instant), 12 and 30; user 1 has nothing before the instant.
    events = interactions([(0, 1), (0, 5), (0, 9), (0, 12), (0, 30), (1, 10)])
    requests = retrieval_requests(events, 2, [FIRST + timedelta(days=9)], SPLIT, NOTHING_KNOWN)
    assert requests.users.tolist() == [0]
    assert requests.histories(np.array([0]), 4).tolist() == [[1, 0, -1, -1]]
    assert (requests.ends.tolist(), requests.label_ends.tolist()) == ([2], [4])


def test_user_states_are_found_by_user_and_instant():
    events = interactions([(0, 1), (0, 10), (1, 1), (1, 10)])
    at = FIRST + timedelta(days=9)
    states = UserStates(
        np.array([0, 1, 1]),
        np.array([5, int(at.timestamp()) - 1, int(at.timestamp())]),
        np.zeros((3, 1), np.float32),
        np.zeros((3, 0), np.int32),
    )
    requests = retrieval_requests(events, 2, [at], SPLIT, states)
    assert requests.states.tolist() == [-1, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 199)), min_size=1, max_size=60))
def test_no_label_lies_at_or_behind_the_end_of_retrieval(rows: list[tuple[int, float]]):
    events = interactions(rows)
    instants = request_instants(SPLIT, RetrievalConfig())
    requests = retrieval_requests(events, 4, instants, SPLIT, NOTHING_KNOWN)
    until = SPLIT.retrieval_until.timestamp()
    for place in range(len(requests)):
        history = slice(requests.starts[place], requests.ends[place])
        labels = slice(requests.ends[place], requests.label_ends[place])
        own = events.users == requests.users[place]
        at, ends = requests.at_s[place], requests.at_s[place] + 10 * 86_400
        assert set(events.items[history]) == set(events.items[own & (events.times < at)])
        wanted = own & (events.times >= at) & (events.times < min(ends, until))
        assert set(events.items[labels]) == set(events.items[wanted]) != set()


def test_instants_run_up_to_one_horizon_before_the_end():
    instants = request_instants(SPLIT, RetrievalConfig(request_days=7))
    assert instants[-1] == SPLIT.retrieval_until - SPLIT.horizon
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(instants))
    assert instants[0] > FIRST


def test_a_short_shop_gets_its_instants_closer_together():
    short = TimeSplit.plan(FIRST, FIRST + timedelta(days=10))
    instants = request_instants(short, RetrievalConfig())
    assert len(instants) >= 10
    assert FIRST < instants[0] < instants[-1] < short.retrieval_until
