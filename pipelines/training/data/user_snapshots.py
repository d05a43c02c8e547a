"""The instants at which users' features are known to retrieval's training."""

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import TimeSplit
from pipelines.training.data.training_data import UserStates

LEAST_INSTANTS = 20
"""A short shop gets its instants closer together, so that it has about so many."""


def state_instants(split: TimeSplit, days: float) -> list[datetime]:
    """Instants before the end of retrieval's events, oldest first."""
    span = split.retrieval_until - split.first_event_at
    step = min(timedelta(days=days), span / LEAST_INSTANTS)
    return [split.retrieval_until - step * place for place in range(int(span / step), 0, -1)]


def states_at(
    states: UserStates, users: npt.NDArray[np.integer], times: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Rows of the states last known of users `[...]` at unix seconds `[...]` (inclusive), -1 = none."""
    if len(states.rows) == 0:
        return np.full(users.shape, -1, np.int64)
    first = min(int(states.at_s.min()), int(times.min(initial=states.at_s.min())))
    wide = max(int(states.at_s.max()), int(times.max(initial=0))) - first + 1
    known = states.rows * np.int64(wide) + (states.at_s - first)
    places = np.searchsorted(known, users * np.int64(wide) + (times - first), "right") - 1
    found = (places >= 0) & (states.rows[np.maximum(places, 0)] == users)
    return np.where(found, places, -1)
