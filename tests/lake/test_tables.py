"""The lake stores what is new once, whoever writes at the same time."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from deltalake import DeltaTable

from pipelines.errors import LakeError
from pipelines.lake import SCHEMAS, Lake
from pipelines.lake.schemas import KEYS, PARTITIONS


def events(ids: list[str], at: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC), item: str = "i1") -> pa.Table:
    rows = [
        {
            "event_id": event_id,
            "event_at": at,
            "event_on": at.date(),
            "user_id": "u1",
            "event_type": "view",
            "item_id": item,
            "source": "test",
        }
        for event_id in ids
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["events"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_row_that_comes_twice_is_stored_once(lake: Lake):
    assert lake.append_new("events", events(["a", "b"])) == 2
    assert lake.append_new("events", events(["b", "c"])) == 1
    assert sorted(lake.read("events")["event_id"].to_pylist()) == ["a", "b", "c"]


def test_an_event_that_comes_again_on_another_day_is_stored_once(lake: Lake):
    lake.append_new("events", events(["a"]))
    assert lake.append_new("events", events(["a"], at=datetime(2024, 6, 1, tzinfo=UTC))) == 0


def test_of_rows_with_one_key_the_first_is_kept(lake: Lake):
    both = pa.concat_tables([events(["a"], item="first"), events(["a"], item="second")])
    assert lake.append_new("events", both) == 1
    assert lake.read("events")["item_id"].to_pylist() == ["first"]


def test_nothing_new_makes_no_new_version(lake: Lake):
    lake.append_new("events", events(["a"]))
    before = lake.version("events")
    assert lake.append_new("events", events(["a"])) == 0
    assert lake.append_new("events", events([])) == 0
    assert lake.version("events") == before


def test_states_are_told_apart_by_when_they_began(lake: Lake):
    def user(location: str, at: datetime) -> pa.Table:
        row = {"user_id": "u1", "location": location, "consent": True, "attributes": [], "updated_at": at}
        return pa.Table.from_pylist([row], schema=SCHEMAS["users"])

    first, second = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    assert lake.append_new("users", user("north", first)) == 1
    assert lake.append_new("users", user("north", first)) == 0
    assert lake.append_new("users", user("south", second)) == 1


def test_an_earlier_version_can_be_read_again(lake: Lake):
    lake.append_new("events", events(["a"]))
    earlier = lake.version("events")
    lake.append_new("events", events(["b"]))
    assert lake.read("events", ["event_id"], version=earlier).to_pylist() == [{"event_id": "a"}]
    assert lake.read("events").num_rows == 2


@pytest.mark.parametrize("name", ["a lake", "läke", "a=b"])
def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str):
    lake = Lake(tmp_path / name)
    lake.append_new("events", events(["a"]))
    assert lake.append_new("events", events(["a", "b"])) == 1
    assert lake.read("events").num_rows == 2
    assert lake.last_event_at() is not None
    assert all(Path(uri).exists() for uri in lake.uris("events"))


def test_versions_name_only_tables_that_exist(lake: Lake):
    assert lake.versions() == {}
    lake.append_new("events", events(["a"]))
    assert lake.versions() == {"events": 1}


def test_a_day_of_events_lies_in_a_folder_of_its_own(lake: Lake):
    lake.append_new("events", events(["a"]))
    (uri,) = lake.uris("events")
    assert "event_on=2024-05-01" in uri


def test_the_newest_event_is_found_among_all_days(lake: Lake):
    assert lake.last_event_at() is None
    newest = datetime(2024, 5, 3, 23, 59, 59, 123456, tzinfo=UTC)
    lake.append_new("events", events(["new"], at=newest))
    lake.append_new("events", events(["old"], at=datetime(2023, 12, 31, tzinfo=UTC)))
    assert lake.last_event_at() == newest


def test_a_table_is_replaced_whole_or_where_a_condition_holds(lake: Lake):
    def rows(day: date, value: int) -> pa.Table:
        return pa.table({"day": pa.array([day], pa.date32()), "value": [value]})

    first, second = date(2024, 5, 1), date(2024, 5, 2)
    lake.replace("counts", pa.concat_tables([rows(first, 1), rows(second, 2)]), partition_by=["day"])
    lake.replace("counts", rows(second, 20), predicate="day = '2024-05-02'")
    assert sorted(lake.read("counts")["value"].to_pylist()) == [1, 20]
    lake.replace("counts", rows(first, 7))
    assert lake.read("counts")["value"].to_pylist() == [7]


def test_rows_are_taken_out_by_a_value_and_the_others_can_still_be_found(lake: Lake):
    rows = pa.table({"id": ["a", "b", "b", "c"], "n": [1, 2, 3, 4]})
    lake.append("notes", rows)
    assert lake.remove("notes", "id", pl.Series(["b", "x"])) == 2
    assert lake.remove("notes", "id", pl.Series(["x"])) == 0
    assert lake.remove("notes", "id", pl.Series(["a"])) == 1
    assert lake.rows_with("notes", "id", pl.Series(["c"])).rows() == [("c", 4)]
    assert lake.append_new("notes", rows, key="id") == 2
    assert lake.read("notes", version=1).num_rows == 4


def test_a_missing_table_says_what_to_do(lake: Lake):
    with pytest.raises(LakeError, match=r"Expected table events .* received none.*aisle ingest"):
        lake.read("events")


def test_a_missing_version_is_named(lake: Lake):
    lake.append_new("events", events(["a"]))
    with pytest.raises(LakeError, match="at version 99"):
        lake.read("events", version=99)


def test_a_column_that_must_be_there_may_not_be_null(lake: Lake):
    broken = events(["a"]).set_column(3, pa.field("user_id", pa.string()), pa.array([None], pa.string()))
    with pytest.raises(LakeError, match="refused rows"):
        lake.append_new("events", broken)


@pytest.mark.parametrize("table", SCHEMAS)
def test_keys_and_partitions_are_columns_of_their_table(table: str):
    assert set(KEYS[table]) <= set(SCHEMAS[table].names)
    assert set(PARTITIONS.get(table, ())) <= set(SCHEMAS[table].names)


def test_files_are_read_by_arrow_alone_so_that_no_thread_outlives_the_interpreter(lake: Lake):
    lake.append_new("events", events(["a"]))
    filesystem = lake.dataset("events").filesystem
    assert isinstance(filesystem, pafs.SubTreeFileSystem)
    assert isinstance(filesystem.base_fs, pafs.LocalFileSystem)
    upstream = DeltaTable(f"{lake.root}/events").to_pyarrow_dataset().filesystem
    assert isinstance(upstream, pafs.PyFileSystem), "delta-rs reads without Python now: the detour can go"


WRITER = """
import sys, pyarrow as pa
from datetime import UTC, date, datetime
from pipelines.lake import SCHEMAS, Lake
root, name = sys.argv[1:]
for n in range(6):
    rows = [
        {"event_id": event_id, "event_at": datetime(2024, 5, 1, tzinfo=UTC), "event_on": date(2024, 5, 1),
         "user_id": "u", "event_type": "view", "item_id": "i", "source": "shop"}
        for event_id in (f"{name}-{n}", f"both-{n}")
    ]
    Lake(root).append_new("events", pa.Table.from_pylist(rows, schema=SCHEMAS["events"]))
"""


def test_two_processes_that_append_at_once_lose_and_double_nothing(tmp_path: Path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "lake"), name]) for name in ("x", "y")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    stored = Lake(tmp_path / "lake").read("events")["event_id"].to_pylist()
    assert sorted(stored) == sorted(f"{name}-{n}" for name in ("x", "y", "both") for n in range(6))
