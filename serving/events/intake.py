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

_Key = tuple[str, str]
"""Source and id of an event: what tells it from all others, here and in the lake."""

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
        self._ids: OrderedDict[_Key, asyncio.Task[None] | None] = OrderedDict()

    def learn(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Know events that are in the log: those of before the process started, and of other workers.

        The one method that any thread may call.
        """
        for event in events:
            if isinstance(event.get("event_id"), str):
                self._know((str(event.get("source")), event["event_id"]), None)
            if isinstance(event.get("event_at"), str) and isinstance(event.get("user_id"), str):
                self._live.add([event])

    async def take(self, batch: Sequence[Event | RejectedEvent]) -> list[IntakeResult]:
        """Judge and keep the events; when this returns, those accepted are on disk.

        Raises:
            EventLogError: They could not be made durable; none of this batch is kept.
        """
        results: list[IntakeResult] = []
        rows: dict[_Key, dict[str, Any]] = {}
        writing: set[asyncio.Task[None]] = set()
        for index, event in enumerate(batch):
            if isinstance(event, RejectedEvent):
                results.append(IntakeResult(index, "rejected", reasons=event.reasons))
                continue
            if reasons := self._reasons_against(event):
                results.append(IntakeResult(index, "rejected", event.event_id, tuple(reasons)))
                continue
            event_id = event.event_id or uuid.uuid4().hex
            key = (event.source, event_id)
            if key in rows or key in self._ids:
                if (task := self._ids.get(key)) is not None:
                    writing.add(task)
                results.append(IntakeResult(index, "duplicate", event_id))
            else:
                rows[key] = event.row(event_id, self._clock.now())
                results.append(IntakeResult(index, "accepted", event_id))
        if rows:
            task = asyncio.create_task(self._keep(rows))
            for key in rows:
                self._know(key, task)
            writing.add(task)
        for task in writing:
            # Acknowledged means on disk, also for an event that another request is writing just now.
            # Shielded, since a caller who hangs up does not undo what is being written.
            await asyncio.shield(task)
        return results

    def _reasons_against(self, event: Event) -> list[str]:
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

    async def _keep(self, rows: Mapping[_Key, Mapping[str, Any]]) -> None:
        try:
            await asyncio.wrap_future(self._log.append(list(rows.values())))
        except EventLogError:
            for key in rows:
                self._ids.pop(key, None)
            raise
        self._live.add(rows.values())
        for key in rows:
            self._ids[key] = None

    def _know(self, key: _Key, writing: asyncio.Task[None] | None) -> None:
        self._ids[key] = writing
        if len(self._ids) > REMEMBERED_IDS:
            self._ids.popitem(last=False)
