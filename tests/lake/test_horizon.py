"""The span of a shop's history."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from pipelines.lake import SCHEMAS, Lake
from pipelines.lake.horizon import horizon_of, main_days


@pytest.mark.parametrize(
    ("days", "counts", "span"),
    [
        # One event 91 days after a hundred others; 90 days are no such distance.
        ([0, 10, 101], [50, 50, 1], (0, 10)),
        ([0, 10, 100], [50, 50, 1], (0, 100)),
        # Before the others, and on both sides.
        ([0, 400, 410, 900], [1, 50, 50, 3], (400, 410)),
        # A shop that opened again: 1 of 50 events is more than a hundredth, but three are few in any shop.
        ([0, 200], [500, 6], (0, 200)),
        ([0, 200], [500, 5], (0, 0)),
        ([0, 200], [50, 4], (0, 200)),
        ([0, 200], [50, 3], (0, 0)),
        # What lies between two large groups stays.
        ([0, 200, 400], [50, 1, 50], (0, 400)),
        # Nothing is left where all is far apart.
        ([0, 200, 400], [1, 1, 1], (0, 400)),
        ([7], [1], (7, 7)),
    ],
)
def test_few_events_far_away_from_the_others_are_outside(days, counts, span):
    assert main_days(np.array(days), np.array(counts)) == span


def events(*instants: datetime) -> pa.Table:
    rows = [
        {
            "event_id": f"e{number}",
            "event_at": at,
            "event_on": at.date(),
            "user_id": "u",
            "event_type": "view",
            "item_id": "i",
            "source": "test",
        }
        for number, at in enumerate(instants)
    ]
    return pa.Table.from_pylist(rows, SCHEMAS["events"])


def test_a_wrong_year_does_not_move_the_cutoff_and_is_named(tmp_path):
    lake = Lake(tmp_path)
    assert horizon_of(lake) is None
    usual = [datetime(2024, 1, day, 12, 0, 1, 500, tzinfo=UTC) for day in range(1, 11)]
    lake.append_new("events", events(*usual))
    found = horizon_of(lake)
    assert found is not None
    assert found.warning() is None
    lake.append_new("events", events(*usual, datetime(2025, 12, 31, 23, 59, tzinfo=UTC)))
    found = horizon_of(lake)
    assert found is not None
    assert (found.first_at, found.last_at) == (usual[0], usual[-1])
    assert found.as_of == datetime(2024, 1, 10, 12, 0, 2, tzinfo=UTC)
    assert (found.far_events, found.far_days, found.far_ids) == (1, (date(2025, 12, 31),), ("e10",))
    assert "aisle lake remove --event-id e10" in str(found.warning())
