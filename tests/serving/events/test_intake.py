"""Each event of a batch is judged on its own, kept once, and known to the next list."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.api.requests import EventsIn
from serving.clock import Clock
from serving.errors import EventLogError
from serving.events.intake import EventIntake, IntakeResult
from serving.events.log import EventLog, read_events
from serving.sessions.recent_events import RecentEvents

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Desk:
    """An intake with its log and memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = EventLog(folder)
        self.live = RecentEvents(events_per_user=3, users=100)
        clock = Clock(NOON, monotonic=lambda: 0.0)
        self.intake = EventIntake(self.log, self.live, clock, ["view", "cart", "purchase", "search"])

    def take(self, *events: object) -> list[IntakeResult]:
        return asyncio.run(self.intake.take(EventsIn.model_validate({"events": list(events)}).judged()))

    def kept(self) -> list[dict]:
        return list(read_events(self.folder))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.log.close()


def view(item_id: str = "i01", **more: object) -> dict:
    return {"event_type": "view", "user_id": "u1", "item_id": item_id, **more}


def test_an_event_is_kept_with_the_columns_of_its_contract(desk: Desk) -> None:
    (verdict,) = desk.take(view(event_id="e1", price=1.5, position=2, surface="home", request_id="r"))
    assert verdict == IntakeResult(0, "accepted", "e1")
    assert desk.kept() == [
        {
            "event_id": "e1",
            "event_type": "view",
            "user_id": "u1",
            "item_id": "i01",
            "event_at": "2024-05-01T12:00:00.000000+00:00",
            "session_id": None,
            "search_query": None,
            "quantity": None,
            "price": 1.5,
            "rating": None,
            "request_id": "r",
            "position": 2,
            "surface": "home",
            "source": "api",
        }
    ]


def test_times_of_other_zones_are_kept_in_utc(desk: Desk) -> None:
    desk.take(view(event_at="2024-05-01T13:30:00.25+02:00"))
    assert desk.kept()[0]["event_at"] == "2024-05-01T11:30:00.250000+00:00"


def test_a_bad_event_does_not_cost_its_neighbours(desk: Desk) -> None:
    verdicts = desk.take(
        view(event_id="a"), {"event_type": "view"}, 7, view(event_id="b", price="much"), view("i02")
    )
    assert [verdict.status for verdict in verdicts] == [
        "accepted",
        "rejected",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert verdicts[1].reasons == ("user_id: Field required",)
    assert verdicts[3].reasons == ("price: Input should be a valid number, received 'much'",)
    assert [event["item_id"] for event in desk.kept()] == ["i01", "i02"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"event_type": "lick"}, "event_type: expected one of view, cart, purchase, search, received 'lick'"),
        ({"event_at": "2024-05-01T12:10:01Z"}, "check the sender's clock"),
        ({"event_at": "1969-12-31T00:00:00Z"}, "check the sender's clock"),
        ({"event_at": "2024-05-01T12:00:00"}, "timezone"),
        ({"item_id": None}, "an event of type 'view' needs item_id"),
        ({"event_type": "search"}, "an event of type 'search' needs search_query"),
        ({"user_id": ""}, "user_id: String should have at least 1 character"),
        ({"user_id": "a\nb"}, "user_id: String should match pattern"),
        ({"user_id": 5}, "user_id: Input should be a valid string, received 5"),
        ({"quantity": float("nan")}, "quantity"),
        ({"price": -1}, "price: Input should be greater than or equal to 0, received -1"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_rejection_says_what_was_expected_and_received(desk: Desk, wrong: dict, reason: str) -> None:
    (verdict,) = desk.take(view() | wrong)
    assert verdict.status == "rejected"
    assert reason in verdict.reasons[0]
    assert desk.kept() == []


def test_a_clock_that_runs_ahead_a_little_is_let_through(desk: Desk) -> None:
    assert desk.take(view(event_at="2024-05-01T12:09:59Z"))[0].status == "accepted"


def test_the_same_event_is_kept_once_within_a_batch_across_batches_and_after_a_restart(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    assert [verdict.status for verdict in desk.take(view(event_id="a"), view(event_id="a"))] == [
        "accepted",
        "duplicate",
    ]
    assert desk.take(view(event_id="a"))[0] == IntakeResult(0, "duplicate", "a")
    desk.log.close()
    again = Desk(tmp_path)
    again.intake.learn(read_events(tmp_path))
    assert again.take(view(event_id="a"))[0].status == "duplicate"
    assert [event.item_id for event in again.live.of("u1")] == ["i01"]
    again.log.close()
    assert len(list(read_events(tmp_path))) == 1


def test_a_duplicate_is_acknowledged_only_when_the_first_one_is_on_disk(desk: Desk, monkeypatch) -> None:
    async def twice_at_once() -> list[str]:
        order: list[str] = []
        events = EventsIn.model_validate({"events": [view(event_id="a")]}).judged()

        async def send(name: str) -> None:
            (verdict,) = await desk.intake.take(events)
            order.append(f"{name} {verdict.status} with {len(desk.kept())} kept")

        await asyncio.gather(send("first"), send("second"))
        return order

    assert asyncio.run(twice_at_once()) == [
        "first accepted with 1 kept",
        "second duplicate with 1 kept",
    ]


def test_events_that_the_disk_refused_may_be_sent_again(desk: Desk, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.events.log.os.fdatasync", full)
    with pytest.raises(EventLogError):
        desk.take(view(event_id="a"))
    assert desk.live.of("u1") == []
    monkeypatch.undo()
    assert desk.take(view(event_id="a"))[0].status == "accepted"
    assert len(desk.kept()) == 1


def test_history_holds_the_newest_events_and_no_impressions(desk: Desk) -> None:
    desk.take(
        view("i01", event_at="2024-05-01T11:00:00Z"),
        view("i02", event_at="2024-05-01T11:30:00Z"),
        view("i03", event_at="2024-05-01T10:00:00Z"),
        {"event_type": "search", "user_id": "u1", "search_query": "tea"},
    )
    assert [event.item_id for event in desk.live.of("u1")] == ["i02", "i01", "i03"]
    desk.take(view("i04"))
    # Three are kept: the one that arrived first has gone.
    assert [event.item_id for event in desk.live.of("u1")] == ["i04", "i02", "i03"]


def test_the_longest_silent_user_is_forgotten_first() -> None:
    live = RecentEvents(events_per_user=5, users=2)
    for user_id in ("a", "b", "a", "c"):
        live.add([{"user_id": user_id, "item_id": "i", "event_type": "view", "event_at": NOON.isoformat()}])
    assert live.recent_users(10) == ["c", "a"]
    assert live.of("b") == []


def test_popularity_counts_a_purchase_as_ten_views() -> None:
    live = RecentEvents(events_per_user=5, users=9)
    at = NOON.isoformat()
    live.add([{"user_id": "a", "item_id": "seen", "event_type": "view", "event_at": at}] * 9)
    live.add([{"user_id": "a", "item_id": "bought", "event_type": "purchase", "event_at": at}])
    assert [item_id for item_id, _ in live.popular(2)] == ["bought", "seen"]
