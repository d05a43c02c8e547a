"""Takes events in: judges each one, drops repeats, makes the rest durable, and lets the next list know."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from serving.clock import Clock
from serving.errors import EventLogError
from serving.events.log import EventLog
from serving.events.schema import Event, RejectedEvent, is_plausible
from serving.sessions import RecentEvents

REMEMBERED_IDS = 500_000
"""Event ids kept to recognise a repeat at once; an older repeat is recognised when it is ingested."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far a caller's clock may run ahead."""


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What became of one event of a batch."""

    index: int
    status: Literal["accepted", "duplicate", "rejected"]
    event_id: str | None = None
    reasons: tuple[str, ...] = ()


class EventIntake:
    """The way of an event from a request to the disk and into the shopper's history.

    Lives on the event loop: `take` is called from there only.

    Args:
        log: Where events become durable.
        live: What the next list knows.
        clock: The shop's clock.
        event_types: Types that the shop sends.
    """

    def __init__(self, log: EventLog, live: RecentEvents, clock: Clock, event_types: Collection[str]) -> None:
        self._log = log
        self._live = live
        self._clock = clock
        self._event_types = tuple(event_types)
        self._ids: OrderedDict[str, asyncio.Task[None] | None] = OrderedDict()

    def restore_from_log(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Know again what the log held when the process started."""
        for event in events:
            if isinstance(event.get("event_id"), str):
                self._know(event["event_id"], None)
            if isinstance(event.get("event_at"), str) and isinstance(event.get("user_id"), str):
                self._live.add([event])

    async def take(self, batch: Sequence[Event | RejectedEvent]) -> list[IntakeResult]:
        """Judge and keep the events; when this returns, those accepted are on disk.

        Raises:
            EventLogError: They could not be made durable; none of this batch is kept.
        """
        results: list[IntakeResult] = []
        rows: dict[str, dict[str, Any]] = {}
        writing: set[asyncio.Task[None]] = set()
        for index, event in enumerate(batch):
            if isinstance(event, RejectedEvent):
                results.append(IntakeResult(index, "rejected", reasons=event.reasons))
            elif reasons := self._reasons_against(event):
                results.append(IntakeResult(index, "rejected", event.event_id, tuple(reasons)))
            elif event.event_id is not None and (event.event_id in rows or event.event_id in self._ids):
                if (task := self._ids.get(event.event_id)) is not None:
                    writing.add(task)
                results.append(IntakeResult(index, "duplicate", event.event_id))
            else:
                event_id = event.event_id or uuid.uuid4().hex
                rows[event_id] = event.row(event_id, self._clock.now())
                results.append(IntakeResult(index, "accepted", event_id))
        if rows:
            task = asyncio.create_task(self._keep(rows))
            for event_id in rows:
                self._know(event_id, task)
            writing.add(task)
        for task in writing:
            # Acknowledged means on disk, also for an event that another request is writing just now.
            # Shielded, since a caller who hangs up does not undo what is being written.
            await asyncio.shield(task)
        return results

    def _reasons_against(self, event: Event | RejectedEvent) -> list[str]:
        if isinstance(event, RejectedEvent):
            return list(event.reasons)
        reasons = []
        if event.event_type not in self._event_types:
            known = ", ".join(self._event_types)
            reasons.append(f"event_type: expected one of {known}, received {event.event_type!r}")
        latest = self._clock.now() + CLOCK_SKEW
        if event.event_at is not None and not is_plausible(event.event_at, latest):
            reasons.append(
                f"event_at: expected an instant up to {latest:%Y-%m-%dT%H:%M:%SZ}, "
                f"received {event.event_at.isoformat()}; check the sender's clock"
            )
        return reasons

    async def _keep(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        try:
            await asyncio.wrap_future(self._log.append(list(rows.values())))
        except EventLogError:
            for event_id in rows:
                self._ids.pop(event_id, None)
            raise
        self._live.add(rows.values())
        for event_id in rows:
            self._ids[event_id] = None

    def _know(self, event_id: str, writing: asyncio.Task[None] | None) -> None:
        self._ids[event_id] = writing
        if len(self._ids) > REMEMBERED_IDS:
            self._ids.popitem(last=False)
