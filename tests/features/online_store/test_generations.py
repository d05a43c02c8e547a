"""Late, repeated and corrected data; writers that die or meet; readers of one generation or the other."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.build import build_features
from pipelines.features.online_store import sqlite_writer
from pipelines.features.registry.build_record import last_build
from pipelines.features.registry.declarations import declared_views, lake_table_of
from pipelines.features.registry.write_lock import registry_write_lock
from pipelines.lake import Lake, open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF

USER_VIEWS = ("user_activity", "user_affinity", "user_history", "user_profile")


@pytest.fixture
def home(built_home: Settings, tmp_path: Path) -> Settings:
    """The built home once more, to be written."""
    shutil.copytree(built_home.home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def online(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is served, by view."""
    connection = sqlite3.connect(settings.home / "feast" / "online.db")
    try:
        return {
            name: connection.execute(f"SELECT * FROM aisle_{name} ORDER BY __entity_key").fetchall()
            for name, view in declared_views().items()
            if view.online
        }
    finally:
        connection.close()


def rows_of(lake: Lake, view: str) -> dict[tuple[str, datetime], dict[str, Any]]:
    key = declared_views()[view].entity_columns[0].name
    rows = lake.read(lake_table_of(declared_views()[view])).to_pylist()
    return {(row[key], row["known_at"]): row for row in rows}


def add_event(lake: Lake, event_id: str, **values: Any) -> None:
    # Any row lies first in the lake. Its session must not become the new event's: that would begin earlier.
    first = lake.read("events").slice(0, 1).to_pylist()[0]
    alone = {"event_id": event_id, "event_on": values["event_at"].date(), "session_id": None}
    row = first | alone | values
    lake.append_new("events", pa.Table.from_pylist([row], lake.read("events").schema))


def test_a_backfilled_day_changes_only_what_that_day_can_change(home: Settings):
    lake = open_lake(home)
    before = {view: rows_of(lake, view) for view in ("user_activity", "user_history", "item_activity")}
    pairs_before = rows_of(lake, "user_category")
    happened = AS_OF - timedelta(days=40)
    day_after = (happened + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    # A view: it changes counts of windows that hold its day, and nothing that counts purchases.
    add_event(lake, "late-1", user_id="u05", item_id="i03", event_type="view", event_at=happened)
    build_features(lake, AS_OF)

    for view, owner, windows_days in (("user_activity", "u05", 30), ("item_activity", "i03", 30)):
        after = rows_of(lake, view)
        changed = [
            key for key in before[view].keys() | after.keys() if before[view].get(key) != after.get(key)
        ]
        assert changed, view
        assert {entity for entity, _ in changed} == {owner}
        assert min(at for _, at in changed) == day_after
        assert max(at for _, at in changed) <= day_after + timedelta(days=windows_days)
        for key in changed:
            old, new = before[view].get(key), after.get(key)
            if old is not None and new is not None:
                names = {name for name in new if new[name] != old[name]}
                assert not {name for name in names if "purchase" in name or "spend" in name}, names
    after = rows_of(lake, "user_history")
    changed = [
        key
        for key in before["user_history"].keys() | after.keys()
        if before["user_history"].get(key) != after.get(key)
    ]
    assert {entity for entity, _ in changed} == {"u05"}
    assert min(at for _, at in changed) >= day_after
    after = rows_of(lake, "user_category")
    changed = [key for key in pairs_before.keys() | after.keys() if pairs_before.get(key) != after.get(key)]
    assert {entity for entity, _ in changed} == {"u05|Grocery > Grocery 0"}


def test_an_event_that_comes_twice_is_counted_once(home: Settings):
    lake = open_lake(home)
    before = {view: rows_of(lake, view) for view in ("user_activity", "item_activity")}
    again = lake.read("events").slice(0, 500)
    assert lake.append_new("events", again) == 0
    build_features(lake, AS_OF)
    assert {view: rows_of(lake, view) for view in before} == before


def test_a_corrected_catalogue_is_known_from_its_correction_on(home: Settings):
    lake = open_lake(home)
    corrected_at = AS_OF - timedelta(days=2)
    row = next(row for row in lake.read("items").to_pylist() if row["item_id"] == "i03")
    corrected = row | {"price": 99.0, "updated_at": corrected_at}
    lake.append("items", pa.Table.from_pylist([corrected], lake.read("items").schema))
    build_features(lake, AS_OF)
    prices = {at: row["price"] for (item, at), row in rows_of(lake, "item_profile").items() if item == "i03"}
    # The first state holds from the beginning, whenever the shop wrote it (ADR 12).
    assert prices == {datetime(1970, 1, 1, tzinfo=UTC): row["price"], corrected_at: 99.0}
    store.materialize(home)
    assert store.get_online(home, item_id="i03")["features"]["item_profile"]["price"] == 99.0


PROGRAM = """
import sys, time
from pathlib import Path
from pipelines.features.online_store import materialize, sqlite_writer
from pipelines.settings import Settings
whole = sqlite_writer._records
def slow(view, *arguments):
    Path(sys.argv[2]).touch()
    for record in whole(view, *arguments):
        time.sleep(0.05)
        yield record
if sys.argv[3] == "slow":
    sqlite_writer._records = slow
materialize.materialize(Settings(home=sys.argv[1]))
"""


@pytest.fixture
def materializing() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts a materialization in a process of its own, which does not outlive the test."""
    started = []

    def start(settings: Settings, mark: Path, pace: str) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", PROGRAM, settings.home, mark, pace]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(timeout=60)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_materialization_that_is_killed_leaves_what_was_there_and_the_next_one_ends_the_work(
    home: Settings, tmp_path: Path, materializing: Callable[..., Any]
):
    expected = online(home)
    store.materialize(home, end=AS_OF - timedelta(days=30))
    before = online(home)
    assert before != expected
    process = materializing(home, tmp_path / "writes", "slow")
    wait_for(tmp_path / "writes")
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    assert online(home) == before
    store.materialize(home)
    assert online(home) == expected


def test_two_at_once_wait_for_each_other_and_leave_one_whole_generation(
    home: Settings, tmp_path: Path, materializing: Callable[..., Any]
):
    expected = online(home)
    store.materialize(home, end=AS_OF - timedelta(days=30))
    processes = [materializing(home, tmp_path / f"mark-{number}", "quick") for number in range(2)]
    assert [process.wait(timeout=200) for process in processes] == [0, 0]
    assert online(home) == expected
    view = store.open_store(home).get_feature_view("user_activity")
    assert len(view.materialization_intervals) == 4  # none was lost: two before, and these two


def test_a_writer_that_waits_too_long_says_who_holds_on(home: Settings):
    def hold(entered: Any, leave: Any) -> None:
        with registry_write_lock(home):
            entered.set()
            leave.wait(60)

    context = multiprocessing.get_context("fork")
    entered, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(entered, leave))
    other.start()
    try:
        assert entered.wait(30)
        with (
            pytest.raises(FeatureError, match="another process holds"),
            registry_write_lock(home, limit_s=0.3),
        ):
            pass
    finally:
        leave.set()
        other.join(30)
    with registry_write_lock(home, limit_s=5):
        pass


def test_no_reader_sees_half_of_one_generation_and_half_of_another(home: Settings):
    # Every view of generation n says n: whatever mixture a reader saw would name two.
    feast = store.open_store(home)
    views = [feast.get_feature_view(name) for name in ("user_activity", "user_history", "user_affinity")]
    base = {view.name: store_rows(home, view) for view in views}
    ended, seen, mixed = threading.Event(), set(), []

    def write(generation: int) -> None:
        with sqlite_writer.one_generation(feast) as writing:
            for view in views:
                rows = base[view.name]
                at = pa.array([AS_OF - timedelta(days=generation)] * rows.num_rows, rows["known_at"].type)
                place = rows.column_names.index("known_at")
                writing(view, rows.set_column(place, rows.schema.field("known_at"), at), whole=True)
                time.sleep(0.01)

    def read() -> None:
        while not ended.is_set():
            known_at = store.get_online(home, user_id="u05")["known_at"]
            generations = {known_at[view.name] for view in views}
            seen.update(generations)
            if len(generations) > 1:
                mixed.append(generations)

    write(0)
    reader = threading.Thread(target=read)
    reader.start()
    for generation in range(1, 25):
        write(generation)
    ended.set()
    reader.join(60)
    assert mixed == []
    assert len(seen) > 2


def store_rows(settings: Settings, view: Any) -> pa.Table:
    from pipelines.features.online_store.materialize import EVER, newest_known

    return newest_known(store.open_store(settings), view, EVER, AS_OF)


def test_readers_of_the_lake_see_the_last_build_that_ended(home: Settings):
    import pandas as pd

    frame = pd.DataFrame({"user_id": ["u05"], "event_timestamp": [AS_OF]})
    before = store.historical(home, frame, "retrieval_v1")
    lake = open_lake(home)
    built = last_build(lake)
    rows = lake.read("features_user_activity")
    lake.replace("features_user_activity", rows.slice(0, 0))  # a build that has come so far
    assert store.historical(home, frame, "retrieval_v1").equals(before)
    assert last_build(lake) == built
    build_features(lake, AS_OF)
    assert store.historical(home, frame, "retrieval_v1").equals(before)


def test_a_build_that_ends_while_its_tables_are_read_begins_the_write_anew(
    home: Settings, monkeypatch: pytest.MonkeyPatch
):
    from pipelines.features.online_store import materialize

    lake = open_lake(home)
    later = AS_OF + timedelta(days=5)
    read, calls = materialize.newest_known, []

    def meanwhile(*arguments: Any) -> pa.Table:
        calls.append(1)
        if len(calls) == 3:
            build_features(lake, later)
        return read(*arguments)

    monkeypatch.setattr(materialize, "newest_known", meanwhile)
    report = store.materialize(home)
    assert report.end == later
    assert len(calls) == 14  # seven views, twice
    assert store.get_online(home, user_id="u05")["known_at"]["user_history"] > AS_OF.isoformat()
