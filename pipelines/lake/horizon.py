"""The span of a shop's history: from its first to its last event, without events far away from the others.

One event with a wrong year, or one sent to try the API in a shop whose data is old, would move the cutoff of
features and training by years, and every window before it would be empty. Such events stay in the lake; the
windows of features and training are planned without them, and that is said.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.lake.tables import Lake

FAR_DAYS = 90
"""Events are far away if so many days without any event lie between them and the others."""

FEW_SHARE = 0.01
"""Far events are left out if they are at most this share of all; a shop that opens again is one."""

FEW_EVENTS = 3
"""So many far events are left out however few the others are, if those are more."""

SHOWN = 3
"""Days and ids that a warning names at most."""

EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Horizon:
    """The span of a shop's history."""

    first_at: datetime
    """Instant of the first event."""

    last_at: datetime
    """Instant of the last event."""

    far_events: int
    """Events before and after the span, left out since they are far away from the others."""

    far_days: tuple[date, ...]
    """Days of those events, ascending."""

    far_ids: tuple[str, ...]
    """Ids of some of them."""

    @property
    def as_of(self) -> datetime:
        """The exclusive cutoff that includes the last event: its whole second, and one second more."""
        return self.last_at.replace(microsecond=0) + timedelta(seconds=1)

    def warning(self) -> str | None:
        """What was left out and what to do about it; None where nothing was."""
        if not self.far_events:
            return None
        days = ", ".join(day.isoformat() for day in self.far_days[:SHOWN])
        more = f" and {len(self.far_days) - SHOWN} more days" if len(self.far_days) > SHOWN else ""
        count = "1 event" if self.far_events == 1 else f"{self.far_events:,} events"
        return (
            f"{count} of {days}{more} left out of features and training: more than {FAR_DAYS} days lie "
            f"between them and the others, of {self.first_at:%Y-%m-%d} to {self.last_at:%Y-%m-%d}. "
            f"If the date is wrong, take it out: aisle lake remove --event-id {self.far_ids[0]} --reason TEXT"
        )


def main_days(days: NDArray[np.integer], counts: NDArray[np.integer]) -> tuple[int, int]:
    """The first and the last day `(inclusive)` of the span that holds the bulk of the events.

    Days are cut into groups wherever more than `FAR_DAYS` lie between neighbours. From both ends, groups of
    few events are left out; the largest group never is.

    Args:
        days: [D] distinct days with events, ascending, at least one.
        counts: [D] events of each day.
    """
    starts = np.append(0, np.flatnonzero(np.diff(days) > FAR_DAYS) + 1)
    sizes = np.add.reduceat(counts, starts)
    few = np.maximum(FEW_SHARE * counts.sum(), FEW_EVENTS)
    stays = (sizes > few) | (sizes == sizes.max())
    first, last = np.flatnonzero(stays)[[0, -1]]
    ends = np.append(starts[1:], len(days))
    return int(days[starts[first]]), int(days[ends[last] - 1])


def horizon_of(lake: Lake) -> Horizon | None:
    """The span of the lake's events; None while there is none."""
    if not lake.exists("events"):
        return None
    events = lake.dataset("events")
    on, found = np.unique(
        events.to_table(columns=["event_on"])["event_on"].to_numpy().astype("datetime64[D]"),
        return_counts=True,
    )
    if not len(on):
        return None
    days = on.astype(np.int64)
    first, last = main_days(days, found)
    outside = (days < first) | (days > last)
    return Horizon(
        first_at=_end_of_day(lake, first, newest=False),
        last_at=_end_of_day(lake, last, newest=True),
        far_events=int(found[outside].sum()),
        far_days=tuple(on[outside].tolist()),
        far_ids=_some_ids(lake, on[outside][:SHOWN].tolist()),
    )


def _end_of_day(lake: Lake, day: int, *, newest: bool) -> datetime:
    """The first or the newest instant of a day's events."""
    on = EPOCH_DAY + timedelta(days=day)
    instants = lake.dataset("events").to_table(columns=["event_at"], filter=pc.field("event_on") == on)
    found: datetime = (pc.max if newest else pc.min)(instants["event_at"]).as_py()
    return found.astimezone(UTC)


def _some_ids(lake: Lake, days: list[date]) -> tuple[str, ...]:
    """Ids of a few events of these days."""
    if not days:
        return ()
    rows = lake.dataset("events").to_table(columns=["event_id"], filter=pc.field("event_on").isin(days))
    ids: list[str] = rows["event_id"].slice(0, SHOWN).to_pylist()
    return tuple(ids)
