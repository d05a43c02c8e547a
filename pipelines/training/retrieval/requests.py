"""Retrieval's training requests: what a user had done at an instant, and what came within the horizon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.split import TimeSplit
from pipelines.training.config import RetrievalConfig
from pipelines.training.shop import Interactions
from pipelines.training.training_set import UserStates

LEAST_INSTANTS = 20
"""A short shop gets its requests closer together, so that it has about so many instants."""


def request_instants(split: TimeSplit, config: RetrievalConfig) -> list[datetime]:
    """Instants of training requests, oldest first; the labels of the last one end with retrieval's events."""
    span = split.retrieval_until - split.first_event_at
    step = min(timedelta(days=config.request_days), span / LEAST_INSTANTS)
    last = split.retrieval_until - min(split.horizon, span / 4)
    count = int((last - split.first_event_at) / step)
    return [last - step * place for place in range(count - 1, -1, -1)]


@dataclass(frozen=True, slots=True)
class RetrievalRequests:
    """Requests and what they can draw on; events are rows of one `Interactions` ordered by user and time."""

    users: npt.NDArray[np.int64]
    """[R] rows of the users."""
    at_s: npt.NDArray[np.int64]
    """[R] unix seconds."""
    starts: npt.NDArray[np.int64]
    """[R] first event of the user."""
    ends: npt.NDArray[np.int64]
    """[R] first event not before the request."""
    label_ends: npt.NDArray[np.int64]
    """[R] first event after the labels' window."""
    states: npt.NDArray[np.int64]
    """[R] row of the user's features, -1 where none is known."""

    def __len__(self) -> int:
        return len(self.users)

    def histories(self, chosen: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
        """[B, length] rows of the last events, newest first, -1 behind them."""
        places = self.ends[chosen][:, None] - 1 - np.arange(length)
        return np.where(places >= self.starts[chosen][:, None], places, -1)


def retrieval_requests(
    interactions: Interactions,
    n_users: int,
    instants: list[datetime],
    split: TimeSplit,
    states: UserStates,
) -> RetrievalRequests:
    """Every user's requests that have both a history and labels, no label at or after `retrieval_until`.

    Args:
        interactions: Rows of any time; those from `retrieval_until` on are never looked at.
        n_users: Rows of users.
        instants: Instants of requests.
        split: Where retrieval's events end.
        states: User features over time.
    """
    until = int(split.retrieval_until.timestamp())
    horizon = int(split.horizon.total_seconds())
    # Users and times in one ascending key, so that one search finds a place in a user's events.
    first = int(interactions.times.min(initial=until))
    scale = int(interactions.times.max(initial=until)) - first + 2 + horizon
    keys = interactions.users * np.int64(scale) + (interactions.times - first)
    users = np.repeat(np.arange(n_users, dtype=np.int64), len(instants))
    at_s = np.tile(np.array([int(at.timestamp()) for at in instants], np.int64), n_users)
    starts = np.searchsorted(keys, users * scale)
    ends = np.searchsorted(keys, users * scale + np.clip(at_s - first, 0, None))
    label_ends = np.searchsorted(keys, users * scale + np.minimum(at_s + horizon, until) - first)
    usable = (ends > starts) & (label_ends > ends)
    wide = max(int(states.at_s.max(initial=0)), int(at_s.max(initial=0))) + 1
    state_keys = states.rows * np.int64(wide) + states.at_s
    wanted = users * np.int64(wide) + at_s
    places = np.minimum(np.searchsorted(state_keys, wanted), max(len(state_keys) - 1, 0))
    found = state_keys[places] == wanted if len(state_keys) else np.zeros(len(wanted), bool)
    return RetrievalRequests(
        users=users[usable],
        at_s=at_s[usable],
        starts=starts[usable],
        ends=ends[usable],
        label_ends=label_ends[usable],
        states=np.where(found, places, -1)[usable],
    )
