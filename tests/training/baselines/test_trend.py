import numpy as np
import pytest

from pipelines.training.baselines.trend import trend_at
from pipelines.training.data import Interactions

DAY_S = 86_400
NOW = 100 * DAY_S


def interactions(*events: tuple[int, int, float]) -> Interactions:
    """Events of one user as (item, type code, days ago), oldest first."""
    ordered = sorted(events, key=lambda event: -event[2])
    size = len(ordered)
    return Interactions(
        users=np.zeros(size, np.int32),
        items=np.array([item for item, _, _ in ordered], np.int32),
        types=np.array([code for _, code, _ in ordered], np.int32),
        times=np.array([NOW - days * DAY_S for _, _, days in ordered], np.int64),
        baskets=np.zeros(size, np.int64),
        ratings=np.full(size, np.nan, np.float32),
    )


def test_a_rise_is_counted_in_deviations_from_the_item_s_own_past():
    rising = [(0, 1, 1.0)] * 8 + [(0, 1, 20.0)] * 12  # 8 a week after 3 a week: (8 - 3) / sqrt(3 + 1) = 2.5
    steady = [(1, 1, 2.0)] * 3 + [(1, 1, 30.0)] * 12
    new = [(2, 1, 3.0)]  # nothing was expected: 1 / sqrt(1)
    old = [(3, 1, 36.0)] * 50  # before the five weeks
    returned = [(4, 2, 1.0)] * 9
    events = interactions(*rising, *steady, *new, *old, *returned)
    assert trend_at(events, 5, NOW, np.array([0.0, 1.0, 0.0])) == pytest.approx([2.5, 0, 1, 0, 0])
