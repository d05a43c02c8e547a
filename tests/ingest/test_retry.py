"""Quarantined rows are mended and taken in again, each once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.cli.main import main
from pipelines.errors import IngestError
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.report import IngestReport
from pipelines.ingest.retry import export_rows, quarantined, retry
from pipelines.lake import Lake
from pipelines.settings import Settings

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]
NOW = datetime(2024, 6, 1, tzinfo=UTC)
HEADER = "event_id,event_at,user_id,event_type,item_id\n"


def stored(lake: Lake) -> list[tuple[str, str]]:
    return sorted((row["event_id"], row["item_id"]) for row in lake.read("events").to_pylist())


def mend(file: Path, **columns: str) -> None:
    pl.read_csv(file, infer_schema=False).with_columns(
        pl.lit(value).alias(name) for name, value in columns.items()
    ).write_csv(file)


def test_a_row_that_was_mended_is_taken_in_once_under_its_own_source(
    take_in: TakeIn, lake: Lake, settings: Settings, write: Write, tmp_path: Path
):
    shop = write("events.csv", f"{HEADER}a,2024-05-01,u,view,i\nb,never,u,view,j\nc,,u,view,k\n")
    take_in(shop)
    file = tmp_path / "mend.csv"
    assert export_rows(quarantined(lake), file) == 2
    mend(file, event_at="2024-05-02")
    report = retry(settings, file=file, now=NOW)
    assert (report.ingest.accepted, report.released, report.skipped) == (2, 2, {})
    assert stored(lake) == [("a", "i"), ("b", "j"), ("c", "k")]
    assert {row["source"] for row in lake.read("events").to_pylist()} == {str(shop)}
    assert quarantined(lake).is_empty()
    again = retry(settings, file=file, now=NOW)
    assert (again.ingest.rows_in, again.released) == (0, 0)
    mended_at_the_source = write(
        "events.csv", f"{HEADER}a,2024-05-01,u,view,i\nb,2024-05-02,u,view,j\nc,2024-05-02,u,view,k\n"
    )
    assert take_in(mended_at_the_source).duplicates == 3
    assert len(lake.read("events")) == 3


def test_a_retry_that_was_killed_after_it_stored_takes_nothing_twice(
    take_in: TakeIn,
    lake: Lake,
    settings: Settings,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    take_in(write("events.csv", "event_at,user_id,event_type,item_id\nnever,u,view,j\nnever,u,view,j\n"))
    file = tmp_path / "mend.csv"
    export_rows(quarantined(lake), file)
    mend(file, event_at="2024-05-02")
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            retry(settings, file=file, now=NOW)
    assert len(lake.read("events")) == 2
    report = retry(settings, file=file, now=NOW)
    assert (report.ingest.accepted, report.ingest.duplicates, report.released) == (0, 2, 2)
    assert len(lake.read("events")) == 2


def test_rows_are_tried_as_they_are_under_another_mapping_and_stay_where_they_break_it_again(
    take_in: TakeIn, lake: Lake, settings: Settings, write: Write
):
    take_in(write("events.csv", f"{HEADER}a,01.05.2024,u,view,i\nb,01.05.2024,u,wink,j\nc,never,u,view,k\n"))
    before = set(quarantined(lake)["quarantine_id"])
    mapping = Mapping(day_first=True)
    report = retry(settings, mapping=mapping, now=NOW)
    assert (report.ingest.accepted, report.ingest.quarantined, report.released) == (1, 2, 1)
    assert set(quarantined(lake)["quarantine_id"]) < before
    assert retry(settings, mapping=mapping, now=NOW).released == 0
    wider = Mapping(day_first=True, event_types={"wink": "view"})
    assert retry(settings, mapping=wider, now=NOW).released == 1
    assert stored(lake) == [("a", "i"), ("b", "j")]


def test_rows_of_the_mapped_columns_of_a_shop_are_found_by_the_mapping(
    take_in: TakeIn, lake: Lake, settings: Settings, write: Write
):
    told = {"columns": {"item_id": "sku", "title": "name"}, "full": True}
    mapping = Mapping.model_validate({"tables": {"items": told}})
    take_in(write("items.csv", "sku,name,price\n1,Cup,1.299\n2,Jar,500\n"), mapping=mapping)
    point = mapping.model_copy(update={"decimal": "."})
    report = retry(settings, mapping=point, now=NOW)
    assert (report.ingest.accepted, report.ingest.gone, report.released) == (1, 0, 1)
    found = {row["item_id"]: (row["title"], row["price"]) for row in lake.read("items").to_pylist()}
    assert found == {"1": ("Cup", 1.299), "2": ("Jar", 500.0)}


def test_a_conflict_is_exported_as_it_was_received_and_taken_under_another_id(
    take_in: TakeIn, lake: Lake, settings: Settings, write: Write, tmp_path: Path
):
    take_in(write("events.csv", f"{HEADER}a,2024-05-01,u,view,i\na,2024-05-01,u,view,j\n"))
    file = tmp_path / "mend.csv"
    export_rows(quarantined(lake), file)
    assert retry(settings, now=NOW).released == 0
    mend(file, event_id="a2")
    assert retry(settings, file=file, now=NOW).released == 1
    assert stored(lake) == [("a", "i"), ("a2", "j")]


def test_lines_that_are_no_rows_are_left_and_named(
    take_in: TakeIn, lake: Lake, settings: Settings, write: Write
):
    source = write("users.csv", "user_id,age\n1,2\n3,4,5\n")
    take_in(source)
    report = retry(settings, now=NOW)
    assert report.released == 0
    assert "missing column user_id" in report.skipped[f"{source}: users"]
    assert len(quarantined(lake)) == 1


def test_an_export_is_of_one_table_and_never_written_over(
    take_in: TakeIn, lake: Lake, write: Write, tmp_path: Path
):
    with pytest.raises(IngestError, match="rows of one table, received none"):
        export_rows(quarantined(lake), tmp_path / "mend.csv")
    take_in(write("events.csv", f"{HEADER}c,,u,view,k\n"), write("users.csv", "user_id,age\n,3\n"))
    with pytest.raises(IngestError, match="received events, users"):
        export_rows(quarantined(lake), tmp_path / "mend.csv")
    export_rows(quarantined(lake, table="users"), tmp_path / "mend.csv")
    with pytest.raises(IngestError, match="expected a new file"):
        export_rows(quarantined(lake, table="users"), tmp_path / "mend.csv")


def test_the_commands_export_and_retry(
    take_in: TakeIn,
    settings: Settings,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("AISLE_HOME", str(settings.home))
    take_in(write("events.csv", f"{HEADER}c,,u,view,k\n"))
    file = tmp_path / "mend.csv"
    for arguments in (["export", str(file)], ["retry", str(file), "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["quarantine", *arguments])
        assert ended.value.code in (0, None)
        mend(file, event_at="2024-05-02")
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["ingest"]["accepted"], report["released"]) == (True, 1, 1)
