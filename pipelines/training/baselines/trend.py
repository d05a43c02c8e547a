"""Items whose recent rate of events rises against their own past."""

import numpy as np
import numpy.typing as npt

from pipelines.training.baselines.interest_matrix import DAY_S
from pipelines.training.data import Interactions

RECENT_DAYS = 7
"""Days before the request whose events are recent."""

PAST_DAYS = 28
"""Days before those whose events say what to expect."""


def trend_at(
    interactions: Interactions, n_items: int, at_s: float, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """[n] how many standard deviations the recent events lie above what an item's own past lets expect.

    (recent - expected) / sqrt(expected + 1), where `expected` is the weight of the past events for a span as
    long as the recent one: the z-score of a Poisson count, with one event more in the variance, so that items
    without a past do not come first for a single event. 0 for items that do not rise.

    Args:
        interactions: Rows before `at_s`.
        n_items: Items of the catalogue.
        at_s: Unix seconds of the request.
        weights: [T + 1] weight of each type code; 0 stands for padding.
    """
    age_days = (at_s - interactions.times) / DAY_S
    strength = weights[interactions.types]
    is_recent = age_days <= RECENT_DAYS
    is_past = ~is_recent & (age_days <= RECENT_DAYS + PAST_DAYS)
    recent = np.bincount(interactions.items, strength * is_recent, n_items)
    expected = np.bincount(interactions.items, strength * is_past, n_items) * (RECENT_DAYS / PAST_DAYS)
    rise: npt.NDArray[np.float64] = (recent - expected) / np.sqrt(expected + 1)
    return np.maximum(rise, 0)
