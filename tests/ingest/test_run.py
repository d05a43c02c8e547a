"""An ingest as a whole: every row accounted for, once, whoever else is at work."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.errors import IngestError
from pipelines.features.build import build_features
from pipelines.ingest.report import IngestReport, TableReport
from pipelines.ingest.run import as_of, ingest
from pipelines.lake import Lake, open_lake
from pipelines.settings import Settings

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]
NOW = datetime(2024, 6, 1, tzinfo=UTC)
HEADER = "event_id,event_at,user_id,event_type,item_id\n"


@pytest.fixture
def last_days(tiny_shop: Path, tmp_path: Path) -> Path:
    """The tiny shop with the events of its last four days."""
    folder = tmp_path / "last_days"
    shutil.copytree(tiny_shop, folder)
    events = pl.read_parquet(tiny_shop / "events.parquet")
    late = events.filter(pl.col("event_at") >= datetime(2024, 4, 27, tzinfo=UTC))
    late.write_parquet(folder / "events.parquet")
    return folder


def test_the_same_batch_twice_changes_nothing(take_in: TakeIn, lake: Lake, write: Write, last_days: Path):
    bad = write("events.csv", f"{HEADER}x,never,u,view,i\nx,never,u,view,i\n")
    first = take_in(last_days, bad)
    before, quarantined = lake.versions(), lake.read("quarantine").to_pylist()
    again = take_in(last_days, bad)
    assert (first.quarantined, len(quarantined)) == (2, 2)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, first.accepted, 2)
    assert lake.versions() == before
    assert lake.read("quarantine").to_pylist() == quarantined


def test_the_quarantine_tells_where_a_row_came_from(take_in: TakeIn, lake: Lake, write: Write):
    file = write("events.csv", f"{HEADER}x,never,u,view,i\n")
    report = take_in(file)
    (row,) = lake.read("quarantine").to_pylist()
    assert row.pop("quarantine_id")
    assert row == {
        "quarantined_at": NOW,
        "table": "events",
        "source": str(file),
        "reason": "event_at is no time that can be read (ISO-8601, a number since 1970, or by `day_first` or "
        "`date_format` in a mapping)",
        "content": '{"event_id":"x","event_at":"never","user_id":"u","event_type":"view","item_id":"i"}',
        "batch_id": report.batch_id,
    }


def test_only_the_span_that_was_asked_for_is_taken_in(take_in: TakeIn, lake: Lake, write: Write):
    file = write(
        "events.csv",
        f"{HEADER}before,2024-04-30T23:59:59Z,u,view,i\nfirst,2024-05-01T00:00:00Z,u,view,i\n"
        "last,2024-05-01T23:59:59Z,u,view,i\nafter,2024-05-02T00:00:00Z,u,view,i\nbad,never,u,view,i\n",
    )
    span = {"since": datetime(2024, 5, 1, tzinfo=UTC), "until": datetime(2024, 5, 2, tzinfo=UTC)}
    report = take_in(file, **span)
    assert (report.rows_in, report.accepted, report.quarantined, report.outside_window) == (3, 2, 1, 2)
    assert sorted(lake.read("events")["event_id"].to_pylist()) == ["first", "last"]
    assert take_in(file, **span).duplicates == 2


def test_a_later_batch_adds_what_is_new(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("events.csv", f"{HEADER}a,2024-05-01,u,view,i\n"))
    report = take_in(write("events.csv", f"{HEADER}a,2024-05-01,u,view,i\nb,2024-04-01,u,view,i\n"))
    assert (report.accepted, report.duplicates) == (1, 1)
    assert report.as_of == datetime(2024, 5, 1, 0, 0, 1, tzinfo=UTC)
    assert as_of(lake) == report.as_of


def test_a_shop_that_brings_events_alone_has_tables_of_no_items_and_users(
    take_in: TakeIn, lake: Lake, write: Write
):
    take_in(write("events.csv", f"{HEADER}a,2024-05-01T00:00:00Z,u,view,i\n"))
    assert lake.versions() == {"events": 1, "items": 0, "users": 0}
    assert lake.read("items").num_rows == 0
    assert build_features(lake).tables["user_history"] == 1


def test_a_lake_without_events_has_no_cutoff(lake: Lake):
    assert as_of(lake) is None


def test_a_dated_state_is_kept_beside_the_one_before(take_in: TakeIn, lake: Lake, write: Write):
    header = "item_id,price,updated_at\n"
    take_in(write("items.csv", f"{header}1,5,2024-01-01\n"))
    report = take_in(write("items.csv", f"{header}1,5,2024-01-01\n1,6,2024-02-01\n"))
    assert (report.accepted, report.duplicates) == (1, 1)
    assert sorted(lake.read("items")["price"].to_pylist()) == [5.0, 6.0]


def test_an_undated_state_that_comes_back_is_kept_each_time_it_changed(
    take_in: TakeIn, lake: Lake, write: Write
):
    for day, price in ((1, 5), (2, 6), (3, 5), (4, 5)):
        take_in(write("items.csv", f"item_id,price\n1,{price}\n"), now=datetime(2024, 6, day, tzinfo=UTC))
    states = sorted((row["updated_at"], row["price"]) for row in lake.read("items").to_pylist())
    assert states == [
        (datetime(1970, 1, 1, tzinfo=UTC), 5.0),
        (datetime(2024, 6, 2, tzinfo=UTC), 6.0),
        (datetime(2024, 6, 3, tzinfo=UTC), 5.0),
    ]


def test_an_id_with_two_contents_is_a_conflict_that_is_kept_with_both(
    take_in: TakeIn, lake: Lake, write: Write
):
    file = write(
        "events.csv",
        f"{HEADER}a,2024-05-01,first,view,i\na,2024-05-01,second,view,i\na,2024-05-01,first,view,i\n"
        "b,2024-05-01,u,view,i\nb,2024-05-01,u,view,i\n",
    )
    report = take_in(file)
    assert (report.accepted, report.duplicates, report.quarantined) == (2, 2, 1)
    users = {row["event_id"]: row["user_id"] for row in lake.read("events").to_pylist()}
    assert users == {"a": "first", "b": "u"}
    (row,) = lake.read("quarantine").to_pylist()
    assert row["reason"] == "event_id is used by another event of the same source"
    content = json.loads(row["content"])
    assert (content["received"]["user_id"], content["stored"]["user_id"]) == ("second", "first")
    again = take_in(file)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 4, 1)
    assert len(lake.read("quarantine")) == 1


def test_a_number_that_another_source_used_before_does_not_lose_an_event(
    take_in: TakeIn, lake: Lake, write: Write
):
    take_in(write("web.csv", f"{HEADER}1,2024-05-01,ann,view,i\n2,2024-05-01,ann,view,j\n"))
    report = take_in(write("till.csv", f"{HEADER}1,2024-05-02,bob,purchase,k\n2,2024-05-01,ann,view,j\n"))
    # Till's 1 is another event than the web's; its 2 is the same one, sent by both.
    assert (report.accepted, report.duplicates, report.quarantined) == (1, 1, 0)
    stored = sorted((row["event_id"], row["user_id"]) for row in lake.read("events").to_pylist())
    assert stored == [("1", "ann"), ("1", "bob"), ("2", "ann")]


def test_equal_purchases_without_ids_are_as_many_as_there_are_and_the_same_file_again_is_nothing_new(
    take_in: TakeIn, lake: Lake, write: Write
):
    bread = "2024-05-01,ann,purchase,bread\n"
    header = "event_at,user_id,event_type,item_id\n"
    file = write("sales.csv", header + bread * 3 + "2024-05-01,ann,purchase,milk\n")
    assert take_in(file).accepted == 4
    again = take_in(file)
    assert (again.accepted, again.duplicates) == (0, 4)
    longer = take_in(write("sales.csv", header + bread * 4))
    assert (longer.accepted, longer.duplicates) == (1, 3)
    assert len(lake.read("events")) == 5


def test_a_table_that_is_all_key_may_repeat_its_rows(take_in: TakeIn, write: Write):
    coupons = write("coupons.csv", "coupon_id,item_id,campaign_id\nc1,i1,7\nc1,i1,7\nc1,i2,7\n")
    report = take_in(coupons)
    assert (report.rows_in, report.accepted, report.duplicates) == (3, 2, 1)


def test_rows_that_are_not_accounted_for_are_an_error():
    assert TableReport(rows_in=6, accepted=1, duplicates=2, quarantined=3).adds_up
    assert not TableReport(rows_in=7, accepted=1, duplicates=2, quarantined=3).adds_up


def test_an_ingest_that_loses_a_row_fails(take_in: TakeIn, write: Write, monkeypatch: pytest.MonkeyPatch):
    from pipelines.ingest import run

    complete = run.complete
    monkeypatch.setattr(
        run, "complete", lambda table, rows, source: complete(table, rows.head(rows.height - 1), source)
    )
    with pytest.raises(IngestError, match="expected every row of users to be accounted for"):
        take_in(write("users.csv", "user_id\n1\n2\n"))


VALUES = st.one_of(
    st.none(), st.integers(-5, 2**40), st.text(max_size=6), st.sampled_from(["2024-05-01", "view", "i1"])
)
ROWS = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(
            ("event_id", "event_at", "user_id", "event_type", "item_id", "price", "position"), VALUES
        )
    ),
    max_size=12,
)
SPARE_ROWS = [
    {"event_id": "a", "event_at": "2024-05-01", "user_id": "u", "event_type": "view", "item_id": "i"},
    {"event_id": "a", "event_at": "2024-05-01", "user_id": "u", "event_type": "view", "item_id": "i"},
]


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_rows_in_are_accepted_duplicates_and_quarantined_whatever_comes(
    rows: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("any")
    texts = [{name: None if value is None else str(value) for name, value in row.items()} for row in rows]
    names = ("event_id", "event_at", "user_id", "event_type", "item_id", "price", "position")
    frame = pl.DataFrame([*texts, *SPARE_ROWS], schema=dict.fromkeys(names, pl.String))
    frame.write_parquet(folder / "events.parquet")
    place = Settings(home=folder)
    report = ingest(folder / "events.parquet", place, now=NOW)
    assert report.rows_in == frame.height
    assert report.rows_in == report.accepted + report.duplicates + report.quarantined
    stored = open_lake(place)
    assert stored.read("events").num_rows == report.accepted
    assert (stored.read("quarantine").num_rows if stored.exists("quarantine") else 0) == report.quarantined
    again = ingest(folder / "events.parquet", place, now=NOW)
    assert (again.accepted, again.quarantined) == (0, report.quarantined)
    assert stored.versions() == report.versions


INGEST = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.ingest.run import ingest
from pipelines.settings import Settings
home, *sources = sys.argv[1:]
report = ingest(sources, Settings(home=Path(home)), now=datetime(2024, 6, 1, tzinfo=UTC))
print(report.accepted, report.duplicates, report.quarantined)
"""


def start(home: Path, *sources: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", INGEST, str(home), *map(str, sources)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_ingests_at_once_lose_and_double_nothing(settings: Settings, write: Write, last_days: Path):
    own = [
        write(f"{n}/events.csv", f"{HEADER}own-{n},2024-05-01,u,view,i\nbad-{n},never,u,view,i\n")
        for n in (1, 2)
    ]
    running = [start(settings.home, last_days, file) for file in own]
    told = [process.communicate(timeout=180)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    lake = open_lake(settings)
    shop = pl.read_parquet(last_days / "events.parquet")["event_id"].to_list()
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted([*shop, "own-1", "own-2"])
    assert lake.read("items").num_rows == 80
    assert lake.read("users").num_rows == 60
    assert lake.read("quarantine").num_rows == 2
    assert sum(int(accepted) for accepted, _, _ in told) == len(shop) + 2 + 80 + 60


def test_an_ingest_that_was_killed_is_put_right_by_the_next(settings: Settings, last_days: Path):
    for seconds in (1.2, 1.6, 2.0):
        process = start(settings.home, last_days)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    report = ingest(last_days, settings, now=NOW)
    lake = open_lake(settings)
    events = pl.read_parquet(last_days / "events.parquet")["event_id"].to_list()
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted(events)
    assert (lake.read("items").num_rows, lake.read("users").num_rows) == (80, 60)
    assert report.rows_in == len(events) + 140
