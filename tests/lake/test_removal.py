"""Events that are taken out stay out, and are on record."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import LakeError, WrongUsageError
from pipelines.ingest.run import ingest
from pipelines.lake import open_lake, remove_event
from pipelines.settings import Settings

HEADER = "event_id,user_id,item_id,event_type,event_at\n"
GOOD = "1,u1,i1,purchase,2024-03-01T10:00:00Z\n"
WRONG = "2,u1,i1,purchase,2025-03-01T11:00:00Z\n"
MENDED = "2,u1,i1,purchase,2024-03-01T11:00:00Z\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def take_in(settings: Settings, folder: Path, rows: str) -> dict[str, int]:
    folder.mkdir(exist_ok=True)
    (folder / "events.csv").write_text(HEADER + rows)
    report = ingest(folder, settings, full=True)
    return {"accepted": report.accepted, "duplicates": report.duplicates, "quarantined": report.quarantined}


def ids(settings: Settings) -> list[str]:
    return sorted(open_lake(settings).read("events")["event_id"].to_pylist())


def test_an_event_taken_out_stays_out_until_its_content_changes(settings, tmp_path):
    shop = tmp_path / "shop"
    take_in(settings, shop, GOOD + WRONG)
    lake = open_lake(settings)
    now = datetime(2026, 12, 1, tzinfo=UTC)
    (removed,) = remove_event(lake, "2", "wrong year", now=now)
    assert removed["event_at"] == "2025-03-01 11:00:00+00:00"
    assert ids(settings) == ["1"]
    (record,) = lake.read("removed_events").to_pylist()
    assert (record["event_id"], record["reason"], record["removed_at"]) == ("2", "wrong year", now)
    assert take_in(settings, shop, GOOD + WRONG) == {"accepted": 0, "duplicates": 2, "quarantined": 0}
    assert ids(settings) == ["1"]
    assert take_in(settings, shop, GOOD + MENDED)["accepted"] == 1
    assert ids(settings) == ["1", "2"]
    assert lake.rows_with("events", "event_id", pl.Series(["2"]))["event_at"][0].year == 2024


def test_what_is_not_there_or_not_explained_is_refused(settings, tmp_path):
    take_in(settings, tmp_path / "shop", GOOD)
    with pytest.raises(LakeError, match="expected an event with id 9"):
        remove_event(open_lake(settings), "9", "wrong")
    with pytest.raises(WrongUsageError, match="add --reason"):
        remove_event(open_lake(settings), "1", "  ")
    take_in(settings, tmp_path / "other", "1,u9,i9,view,2024-03-01T10:00:00Z\n")
    with pytest.raises(WrongUsageError, match="say which one with --source"):
        remove_event(open_lake(settings), "1", "wrong")
