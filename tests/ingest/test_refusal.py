"""Too many quarantined rows are an alarm; what was good is stored all the same."""

import json
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.errors import RefusedRowsError
from pipelines.ingest.refusal import check_refused
from pipelines.ingest.report import IngestReport, TableReport
from pipelines.ingest.tasks import check_taken, take_in
from pipelines.lake import Lake
from pipelines.settings import Settings

HEADER = "event_id,event_at,user_id,event_type,item_id\n"


def report(rows_in: int, quarantined: int) -> IngestReport:
    table = TableReport(rows_in=rows_in, accepted=rows_in - quarantined, quarantined=quarantined)
    return IngestReport(
        sources=("shop",),
        batch_id="b",
        rows_in=rows_in,
        accepted=table.accepted,
        duplicates=0,
        quarantined=quarantined,
        seconds=0.1,
        tables={"events": table},
        cleaning={},
        reasons={"item_id is missing": quarantined} if quarantined else {},
        ignored_columns={},
        skipped=(),
        outside_window=0,
        versions={},
        as_of=None,
    )


@pytest.mark.parametrize(("rows_in", "quarantined"), [(1, 1), (3, 3), (100, 100), (400, 21), (1000, 51)])
def test_too_many_or_all_refused_rows_are_an_error(tmp_path: Path, rows_in: int, quarantined: int):
    with pytest.raises(RefusedRowsError, match=rf"events: {quarantined} of {rows_in:,} rows") as caught:
        check_refused(report(rows_in, quarantined), Settings(home=tmp_path))
    assert "item_id is missing" in str(caught.value)
    assert "aisle quarantine show --batch b" in str(caught.value)


@pytest.mark.parametrize(("rows_in", "quarantined"), [(0, 0), (100, 0), (22, 20), (400, 20), (1000, 50)])
def test_a_few_refused_rows_are_not(tmp_path: Path, rows_in: int, quarantined: int):
    check_refused(report(rows_in, quarantined), Settings(home=tmp_path))


def test_a_source_of_which_all_rows_are_refused_is_an_error_beside_one_of_good_rows(tmp_path: Path):
    both = report(1000, 2).model_copy(
        update={"refused_by_source": {"log: events": TableReport(rows_in=2, quarantined=2)}}
    )
    with pytest.raises(RefusedRowsError, match="log: events: all of its 2 rows"):
        check_refused(both, Settings(home=tmp_path))


@pytest.mark.parametrize(("unreadable", "present", "fails"), [(1, 1, True), (21, 400, True), (20, 22, False)])
def test_a_column_that_cannot_be_read_is_an_error(tmp_path: Path, unreadable: int, present: int, fails: bool):
    some = report(1000, 0).model_copy(
        update={"unreadable": {"items.price": unreadable}, "present": {"items.price": present}}
    )
    if not fails:
        return check_refused(some, Settings(home=tmp_path))
    with pytest.raises(RefusedRowsError, match=rf"items.price: {unreadable} of {present} values"):
        check_refused(some, Settings(home=tmp_path))


def test_the_limits_are_settings(tmp_path: Path):
    strict = Settings(home=tmp_path, ingest_max_refused_share=0, ingest_max_refused_rows=0)
    with pytest.raises(RefusedRowsError):
        check_refused(report(1000, 1), strict)
    lax = Settings(home=tmp_path, ingest_max_refused_share=0.5, ingest_max_refused_rows=20)
    check_refused(report(1000, 500), lax)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_the_command_fails_keeps_the_good_rows_and_shows_the_others(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    good = "".join(f"g{n},2024-05-01,u,view,i\n" for n in range(10))
    bad = "".join(f"b{n},2024-05-01,u,view,\n" for n in range(30))
    file = tmp_path / "events.csv"
    file.write_text(HEADER + good + bad)
    assert run("ingest", str(file)) == 1
    assert "events: 30 of 40 rows" in capsys.readouterr().err
    assert len(Lake(home / "lake").read("events")) == 10
    assert run("quarantine", "list", "--json") == 0
    (batch,) = json.loads(capsys.readouterr().out)["batches"]
    assert (batch["rows"], batch["tables"]) == (30, ["events"])
    assert run("quarantine", "show", "--batch", batch["batch"], "--limit", "5", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 5
    assert all(row["reason"] == "item_id is missing in an event that is no search" for row in rows)
    assert run("quarantine", "show") == 0
    assert "5 of 30" not in capsys.readouterr().err
    assert (home / "lake").stat().st_mode & 0o077 == 0


def test_the_scheduled_ingest_fails_where_every_row_is_refused_and_reads_the_mapping_of_the_settings(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "sales.csv").write_text("kunde,artikel,zeit,art\nann,bread,2024-05-01,view\n")
    mapping = tmp_path / "shop.yaml"
    mapping.write_text(
        "tables:\n  events:\n    from: sales.csv\n"
        "    columns: {user_id: kunde, item_id: artikel, event_at: zeit, event_type: art}\n"
    )
    monkeypatch.setenv("AISLE_SHOP_MAPPING", str(mapping))
    assert take_in(str(shop))["accepted"] == 1
    (shop / "sales.csv").write_text("kunde,artikel,zeit,art\nann,bread,never,view\nbob,milk,never,view\n")
    taken = take_in(str(shop))
    assert (taken["accepted"], taken["quarantined"]) == (0, 2)
    with pytest.raises(RefusedRowsError, match="events: 2 of 2 rows"):
        check_taken(taken)
