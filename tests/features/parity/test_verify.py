"""What is served is what history says; where it is not, the difference and its cause are found."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.cli.main import main
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.parity import recompute
from pipelines.features.parity.verify import verify
from pipelines.lake import open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF

VECTORS = 4 * 60 + 3 * 80
"""User views and item views that are served."""


@pytest.fixture
def home(built_home: Settings, tmp_path: Path) -> Settings:
    """The built home once more, to be written."""
    shutil.copytree(built_home.home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    def change(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_every_vector_is_what_the_events_say_in_every_zone(built_home: Settings, in_zone, zone: str):
    in_zone(zone)
    report = verify(built_home)
    assert (report.as_of, report.until) == (AS_OF, AS_OF)
    assert (report.vectors, report.differences, report.examples) == (VECTORS, 0, [])
    assert report.values > 5_000


def test_a_writer_and_a_reader_in_other_zones_agree_across_a_change_to_summer_time(home: Settings, in_zone):
    # In New York, 2024-03-10 has no 02:30; Feast's own store would be an hour off when it reads 02:30 UTC.
    lake = open_lake(home)
    items = lake.read("items")
    in_the_gap = datetime(2024, 3, 10, 2, 30, tzinfo=UTC)
    stamps = pa.array([in_the_gap] * items.num_rows, items["updated_at"].type)
    place = items.column_names.index("updated_at")
    changed = items.set_column(place, items.schema.field("updated_at"), stamps)
    lake.append("items", changed)
    from pipelines.features.build import build_features

    build_features(lake, AS_OF)
    for until in (in_the_gap, in_the_gap + timedelta(hours=5), datetime(2024, 3, 11, tzinfo=UTC)):
        in_zone("America/New_York")
        store.materialize(home, end=until)
        in_zone("Asia/Kolkata")
        report = verify(home)
        assert (report.until, report.vectors, report.differences) == (until, VECTORS, 0)
        known_at = store.get_online(home, item_id="i00")["known_at"]["item_profile"]
        assert known_at == "2024-03-10T02:30:00+00:00"


def test_a_stale_online_value_is_found_and_named(home: Settings):
    with sqlite3.connect(home.home / "feast" / "online.db") as connection:
        changed = connection.execute(
            'UPDATE aisle_user_activity SET "views_30d" = "views_30d" + 1 WHERE instr(__entity_key, ?) > 0',
            (b"u05",),
        ).rowcount
    connection.close()
    assert changed == 1
    report = verify(home)
    assert (report.differences, report.causes["stale online value"]) == (1, 1)
    (example,) = report.examples
    assert (example.view, example.feature, example.entity) == ("user_activity", "views_30d", "u05")
    assert example.served == example.history + 1
    assert "aisle features materialize" in report.advice[0]


def test_an_entity_that_is_missing_online_is_found(home: Settings):
    with sqlite3.connect(home.home / "feast" / "online.db") as connection:
        connection.execute("DELETE FROM aisle_item_profile WHERE instr(__entity_key, ?) > 0", (b"i07",))
    connection.close()
    report = verify(home)
    assert report.causes == {"stale online value": 1, "late data": 0, "changed definition": 0}
    assert {example.entity for example in report.examples} == {"i07"}


def test_late_data_is_found_and_gone_after_the_next_build(home: Settings):
    lake = open_lake(home)
    happened = AS_OF - timedelta(days=3)
    late = lake.read("events").slice(0, 1).to_pylist()[0] | {
        **{"event_id": "late-1", "user_id": "u57", "event_type": "view", "event_at": happened},
        **{"event_on": happened.date(), "item_id": "i01"},
    }
    lake.append_new("events", pa.Table.from_pylist([late], lake.read("events").schema))
    report = verify(home)
    assert report.causes["late data"] >= 3  # activity and history of the user, activity of the item
    assert report.causes["stale online value"] == report.causes["changed definition"] == 0
    assert {"u57", "i01"} <= {example.entity for example in report.examples}

    from pipelines.features.build import build_features

    build_features(lake, AS_OF)
    assert verify(home).causes["stale online value"] >= 3
    store.materialize(home)
    assert verify(home).differences == 0


def test_a_changed_definition_is_found(built_home: Settings, monkeypatch: pytest.MonkeyPatch):
    defined = recompute.feature_tables

    def changed(config):
        tables = defined(config)
        activity = tables["item_activity"]
        return tables | {
            "item_activity": lambda shop: activity(shop).mutate(views_7d=lambda t: t.views_7d * 2)
        }

    monkeypatch.setattr(recompute, "feature_tables", changed)
    report = verify(built_home)
    assert report.causes["changed definition"] > 10
    assert report.causes["stale online value"] == report.causes["late data"] == 0
    assert {(example.view, example.feature) for example in report.examples} == {("item_activity", "views_7d")}


def test_a_sample_is_drawn_by_its_seed(built_home: Settings):
    assert verify(built_home, sample=5).vectors == 4 * 5 + 3 * 5


def test_the_command_ends_with_1_where_something_differs(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def run() -> tuple[int, dict]:
        with pytest.raises(SystemExit) as ended:
            main(["features", "verify", "--sample", "200", "--json"])
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    monkeypatch.setenv("AISLE_HOME", str(home.home))
    code, told = run()
    assert (code, told["ok"], told["differences"], told["vectors"]) == (0, True, 0, VECTORS)
    with sqlite3.connect(home.home / "feast" / "online.db") as connection:
        connection.execute(
            "UPDATE aisle_user_profile SET gender = 'X' WHERE instr(__entity_key, ?) > 0", (b"u03",)
        )
    connection.close()
    code, told = run()
    assert (code, told["ok"], told["differences"]) == (1, False, 1)
    assert told["examples"][0]["served"] == "X"


def test_without_a_build_it_says_what_to_do(ingested_home: Settings):
    with pytest.raises(FeatureError, match="aisle features build"):
        verify(ingested_home)
