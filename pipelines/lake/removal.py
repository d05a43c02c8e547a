"""Taking single events out of the lake, for good and on record."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import LakeError, WrongUsageError
from pipelines.lake.schemas import REMOVED_EVENTS, SCHEMAS
from pipelines.lake.tables import Lake

REMOVED = "removed_events"
"""Table of the events that were taken out, with all they held, when and why."""


def remove_event(
    lake: Lake, event_id: str, reason: str, source: str | None = None, now: datetime | None = None
) -> list[dict[str, str]]:
    """Take the events of that id out of table `events` and record them; ingest leaves the same content out.

    An event of the same id with other content, such as a mended date, is taken in again.

    Args:
        lake: Where the event is.
        event_id: Its id.
        reason: Why; recorded with it.
        source: Of which source, where several use the id.
        now: When; the clock of this machine, if left out.

    Returns:
        `event_id source user_id event_type event_at` of what was taken out.

    Raises:
        WrongUsageError: The reason is empty, or several sources have the id and none is named.
        LakeError: There is no such event.
    """
    if not reason.strip():
        raise WrongUsageError("expected a reason to be recorded with the event, received none; add --reason")
    wanted = pc.field("event_id") == event_id
    if source is not None:
        wanted &= pc.field("source") == source
    found = lake.dataset("events").to_table(filter=wanted).select(SCHEMAS["events"].names)
    if found.num_rows == 0:
        raise LakeError(
            f"expected an event with id {event_id}{'' if source is None else f' of source {source}'}, "
            "received none; ids are those of column event_id, and a feature build names those it leaves out"
        )
    sources = sorted(set(found["source"].to_pylist()))
    if len(sources) > 1:
        raise WrongUsageError(
            f"expected one event with id {event_id}, received events of the sources {', '.join(sources)}; "
            "say which one with --source"
        )
    at = (now or datetime.now(UTC)).astimezone(UTC)
    recorded = found.append_column(
        "removed_at", pa.array([at] * found.num_rows, pa.timestamp("us", tz="UTC"))
    )
    recorded = recorded.append_column("reason", pa.array([reason.strip()] * found.num_rows, pa.string()))
    lake.append(REMOVED, recorded.cast(REMOVED_EVENTS))
    for day in pc.unique(found["event_on"]).to_pylist():
        of_day = lake.dataset("events").to_table(filter=pc.field("event_on") == day)
        is_gone = pc.and_(pc.equal(of_day["event_id"], event_id), pc.equal(of_day["source"], sources[0]))
        kept = of_day.filter(pc.invert(is_gone)).select(SCHEMAS["events"].names).cast(SCHEMAS["events"])
        lake.replace("events", kept, predicate=f"event_on = '{day.isoformat()}'")
    told = found.select(["event_id", "source", "user_id", "event_type", "event_at"]).to_pylist()
    return [{name: str(value) for name, value in row.items()} for row in told]
