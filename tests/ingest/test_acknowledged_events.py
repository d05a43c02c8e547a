"""Whatever the event route acknowledges, ingest takes: one contract on both sides."""

import asyncio
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.ingest.run import ingest
from pipelines.lake import open_lake
from pipelines.settings import Settings
from serving.api.requests import EventsIn
from serving.clock import Clock
from serving.events import EventIntake, EventLog, read_events
from serving.sessions import RecentEvents

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
EVENT_TYPES = ("view", "purchase", "search", "rating", "impression", "Wish List", "click", "buy")

TEXTS = st.one_of(
    st.from_regex(r"[a-z]{1,3}[0-9]{0,3}", fullmatch=True),
    st.text(max_size=12),
    st.text("é\u4e2d\u0300\U0001f600", min_size=200, max_size=300),
    st.from_regex(r"-?\d{1,5}\.0{0,2}", fullmatch=True),
    st.sampled_from(
        ["NULL", "nan", "None", " u1 ", "4.00638E+12", "1E5", "\\N", "\u00a0a", "a\tb", "007", "-1"]
    ),
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, 0.0, -0.0, 1e9, 100, 1.299, 1e-300])
)
INSTANTS = st.one_of(
    st.datetimes(
        datetime.fromisoformat("1989-12-30"), datetime.fromisoformat("2024-05-02"), timezones=st.timezones()
    ).map(datetime.isoformat),
    st.sampled_from(
        ["2024-05-01T12:09:59.999999+00:00", "2024-05-01T23:59:00+12:00", "1990-01-01T00:00:00Z"]
    ),
    st.integers(600_000_000, 1_714_564_800),
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(EVENT_TYPES),
            "user_id": TEXTS,
            "item_id": TEXTS,
            "search_query": TEXTS,
        },
        optional={
            "event_id": TEXTS,
            "event_at": INSTANTS,
            "session_id": TEXTS,
            "request_id": TEXTS,
            "surface": TEXTS,
            "source": TEXTS,
            "quantity": NUMBERS,
            "price": NUMBERS,
            "rating": NUMBERS,
            "position": st.integers(-1, 20_000),
        },
    ),
    min_size=1,
    max_size=30,
)


def acknowledged(folder: Path, events: list[dict[str, Any]], start_at: datetime = NOW) -> int:
    """Send events through the models, the intake and the log of the route; how many were accepted."""
    with EventLog(folder) as log:
        live = RecentEvents(events_per_user=3, users=100)
        intake = EventIntake(log, live, Clock(start_at, monotonic=lambda: 0.0), EVENT_TYPES)
        body = EventsIn.model_validate_json(json.dumps({"events": events}))
        results = asyncio.run(intake.take(body.judged()))
    return sum(result.status == "accepted" for result in results)


@hypothesis_settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_whatever_the_event_route_acknowledges_ingest_takes(events: list[dict[str, Any]]):
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        try:
            accepted = acknowledged(settings.event_log, events)
        except ValidationError:
            return  # the whole body was refused
        report = ingest("event-log", settings, now=NOW)
        assert report.rows_in == accepted
        assert report.quarantined == 0, report.reasons
        assert report.unreadable == {}
        if accepted:
            stored = {row["event_id"]: row for row in open_lake(settings).read("events").to_pylist()}
            for event in read_events(settings.event_log):
                row = stored[event["event_id"]]
                assert (row["user_id"], row["event_type"]) == (event["user_id"], event["event_type"])


def test_events_of_a_clock_ahead_of_ours_and_of_types_that_a_setting_adds_are_taken(tmp_path: Path):
    settings = Settings(home=tmp_path)
    event = {"event_type": "Wish List", "user_id": "17850.0", "item_id": "7.00"}
    assert acknowledged(settings.event_log, [event], NOW + timedelta(days=400)) == 1
    assert ingest("event-log", settings, now=NOW).accepted == 1
    (row,) = open_lake(settings).read("events").to_pylist()
    assert (row["user_id"], row["item_id"], row["event_type"]) == ("17850", "7", "Wish List")


@pytest.mark.parametrize("field", ["user_id", "item_id", "event_id", "session_id"])
@pytest.mark.parametrize("written", ["NULL", "nan", "4.00638E+12", "x" * 257, "a\tb", "  "])
def test_what_ingest_would_quarantine_is_not_acknowledged(tmp_path: Path, field: str, written: str):
    event = {"event_type": "view", "user_id": "u", "item_id": "i", field: written}
    assert acknowledged(tmp_path, [event]) == 0


def test_an_id_that_two_sources_use_is_two_events(tmp_path: Path):
    settings = Settings(home=tmp_path)
    event = {"event_type": "view", "user_id": "u", "item_id": "i", "event_id": "1", "source": "web"}
    other = {**event, "item_id": "j", "source": "till"}
    assert acknowledged(settings.event_log, [event, other, event]) == 2
    assert ingest("event-log", settings, now=NOW).accepted == 2
