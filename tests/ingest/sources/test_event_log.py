"""Events that serving acknowledged reach the lake, each once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.report import IngestReport
from pipelines.lake import Lake
from pipelines.settings import Settings
from serving.events import announce_log, announced_logs
from serving.events.log import EventLog

TakeIn = Callable[..., IngestReport]


def event(number: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "event_at": "2024-05-01T12:00:00+00:00",
        "user_id": "u1",
        "session_id": None,
        "event_type": "view",
        "item_id": "i1",
        "price": 1.5,
        "position": 3,
        "source": "serving",
    }


@pytest.fixture
def folder(settings: Settings) -> Path:
    settings.event_log.mkdir(parents=True)
    return settings.event_log


def append(folder: Path, text: str, segment: int = 0) -> None:
    with (folder / f"segment-{segment:08d}-20240501T000000.jsonl").open("a", encoding="utf-8") as file:
        file.write(text)


def test_what_serving_wrote_is_taken_in(take_in: TakeIn, lake: Lake, folder: Path):
    with EventLog(folder) as log:
        log.append([event(1), event(2)]).result(timeout=10)
    assert take_in("event-log").accepted == 2
    assert lake.read("events", ["event_id", "position", "price", "source", "session_id"]).slice(
        0, 1
    ).to_pylist() in (
        [{"event_id": f"e{n}", "position": 3, "price": 1.5, "source": "serving", "session_id": None}]
        for n in (1, 2)
    )


def test_only_new_lines_are_read_in_the_next_ingest(take_in: TakeIn, folder: Path):
    append(folder, json.dumps(event(1)) + "\n")
    assert take_in("event-log").rows_in == 1
    assert take_in("event-log").rows_in == 0
    append(folder, json.dumps(event(2)) + "\n")
    append(folder, json.dumps(event(3)) + "\n", segment=1)
    report = take_in("event-log")
    assert (report.rows_in, report.accepted) == (2, 2)


def test_a_line_that_is_not_finished_waits(take_in: TakeIn, lake: Lake, folder: Path):
    line = json.dumps(event(2)) + "\n"
    append(folder, json.dumps(event(1)) + "\n" + line[:25])
    assert take_in("event-log").rows_in == 1
    append(folder, line[25:])
    assert take_in("event-log").accepted == 1
    assert sorted(lake.read("events")["event_id"].to_pylist()) == ["e1", "e2"]


def test_lines_that_are_no_events_are_set_aside(take_in: TakeIn, lake: Lake, folder: Path):
    bad = event(2) | {"user_id": None}
    append(folder, f'{json.dumps(event(1))}\nnot json\n[1]\n"text"\n{json.dumps(bad)}\n')
    report = take_in("event-log")
    assert (report.rows_in, report.accepted, report.quarantined) == (5, 1, 4)
    assert report.reasons == {"the line is no JSON object": 3, "user_id is missing": 1}
    assert json.dumps(bad) in lake.read("quarantine")["content"].to_pylist()


def test_a_log_that_was_put_back_is_read_again_and_doubles_nothing(take_in: TakeIn, folder: Path):
    append(folder, json.dumps(event(1)) + "\n" + json.dumps(event(2)) + "\n")
    take_in("event-log")
    segment = next(folder.glob("segment-*"))
    segment.write_text(json.dumps(event(1)) + "\n", encoding="utf-8")
    report = take_in("event-log")
    assert (report.rows_in, report.duplicates) == (1, 1)


def test_a_log_in_another_folder_is_named(take_in: TakeIn, tmp_path: Path):
    append(tmp_path, json.dumps(event(1)) + "\n")
    assert take_in(f"event-log:{tmp_path}").accepted == 1


def test_a_log_that_is_not_there_yet_holds_no_events(take_in: TakeIn):
    assert take_in("event-log").rows_in == 0


def test_logs_that_serving_keeps_elsewhere_are_read_with_the_usual_one(
    take_in: TakeIn, settings: Settings, folder: Path, tmp_path: Path
):
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    append(folder, json.dumps(event(1)) + "\n")
    append(elsewhere, json.dumps(event(2)) + "\n")
    for log in (folder, elsewhere, elsewhere, tmp_path / "gone"):
        announce_log(settings.home, log)
    assert announced_logs(settings.home) == sorted([tmp_path / "gone", elsewhere])
    assert take_in("event-log").accepted == 2
    assert take_in("event-log").rows_in == 0
