"""The online store: the newest known values, written whole or not at all, as often as one likes."""

import sqlite3
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.online_store import sqlite_writer
from pipelines.features.online_store.materialize import EVER, newest_known
from pipelines.features.registry.declarations import declared_views, lake_table_of
from pipelines.features.registry.feast import feast_talks_to_people
from pipelines.lake import open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF


@pytest.fixture
def home(built_home: Settings, tmp_path: Path) -> Settings:
    """A home of its own on the built feature tables, applied but not materialized."""
    settings = Settings(home=tmp_path / "home", lake_uri=built_home.lake_root)
    store.apply(settings)
    return settings


def stored(settings: Settings, view: str) -> dict[bytes, list[Any]]:
    """Everything that the SQLite file holds of one view."""
    connection = sqlite3.connect(settings.home / "feast" / "online.db")
    try:
        rows = connection.execute(f'SELECT * FROM "aisle_{view}"').fetchall()
    finally:
        connection.close()
    return {key: values for key, *values in rows}


def newest_of(settings: Settings, view: str, key: str, at: datetime = AS_OF) -> dict[str, Any]:
    table = open_lake(settings).read(lake_table_of(declared_views()[view])).to_pylist()
    known = [row for row in table if next(iter(row.values())) == key and row["known_at"] <= at]
    return max(known, key=lambda row: row["known_at"])


def test_a_look_up_gives_the_newest_known_values(built_home: Settings):
    found = store.get_online(built_home, user_id="u05")
    assert found["entity"] == {"user_id": "u05"}
    assert found["found"] is True
    assert set(found["features"]) == {"user_activity", "user_affinity", "user_history", "user_profile"}
    for view, features in found["features"].items():
        newest = newest_of(built_home, view, "u05")
        assert found["known_at"][view] == newest.pop("known_at").isoformat()
        newest.pop("user_id")
        assert features == newest


def test_an_item_is_looked_up_the_same_way(built_home: Settings):
    found = store.get_online(built_home, item_id="i02")
    newest = newest_of(built_home, "item_activity", "i02")
    assert found["features"]["item_activity"]["purchases_30d"] == newest["purchases_30d"]
    assert found["features"]["item_profile"]["title"] == newest_of(built_home, "item_profile", "i02")["title"]


def test_a_stranger_is_not_found_and_all_is_null(built_home: Settings):
    found = store.get_online(built_home, user_id="stranger")
    assert found["found"] is False
    assert set(found["known_at"].values()) == {None}
    assert {value for features in found["features"].values() for value in features.values()} == {None}


def test_a_look_up_is_of_one_entity(built_home: Settings):
    with pytest.raises(FeatureError, match="both or neither"):
        store.get_online(built_home)


def test_the_bulk_writer_stores_what_feast_itself_would(home: Settings, built_home: Settings):
    feast = store.open_store(home)
    names = [view.name for view in declared_views().values() if view.online]
    with feast_talks_to_people():
        feast.materialize(EVER, AS_OF, feature_views=names)
    for name in names:
        theirs, ours = stored(home, name), stored(built_home, name)
        assert len(ours) >= 57
        assert ours == theirs


def test_materializing_again_changes_nothing(home: Settings):
    first = store.materialize(home)
    before = {name: stored(home, name) for name in first.views}
    second = store.materialize(home)
    assert {name: stored(home, name) for name in second.views} == before
    assert second.views == first.views


def test_windows_one_after_the_other_and_over_each_other_end_like_the_whole(
    home: Settings, built_home: Settings
):
    half = AS_OF - timedelta(days=40)
    store.materialize(home, end=half)
    assert store.get_online(home, user_id="u05")["known_at"]["user_activity"] <= half.isoformat()
    store.materialize(home, start=half - timedelta(days=10), end=AS_OF)
    store.materialize(home, start=half - timedelta(days=5), end=AS_OF)
    for name in ("user_activity", "user_history", "item_activity"):
        assert stored(home, name) == stored(built_home, name)


def test_a_window_that_ends_in_the_future_ends_at_the_last_build(home: Settings):
    assert store.materialize(home, end=AS_OF + timedelta(days=365)).end == AS_OF
    with pytest.raises(FeatureError, match="begins before it ends"):
        store.materialize(home, start=AS_OF + timedelta(days=1))


def test_an_interrupted_write_leaves_what_was_there(home: Settings, monkeypatch: pytest.MonkeyPatch):
    store.materialize(home)
    before = stored(home, "item_profile")
    whole = sqlite_writer._records

    def breaks_off(view: Any, *arguments: Any) -> Any:
        for number, record in enumerate(whole(view, *arguments)):
            if view.name == "item_profile" and number == 50:
                raise KeyboardInterrupt
            yield (*record[:2], None, *record[3:])

    monkeypatch.setattr(sqlite_writer, "_records", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        store.materialize(home)
    assert stored(home, "item_profile") == before
    monkeypatch.undo()
    store.materialize(home)
    assert stored(home, "item_profile") == before


def test_readers_go_on_while_a_writer_writes(built_home: Settings):
    writer = sqlite3.connect(built_home.home / "feast" / "online.db", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute('DELETE FROM "aisle_user_profile"')
        assert store.get_online(built_home, user_id="u06")["features"]["user_profile"]["gender"] is not None
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def test_whoever_is_no_longer_in_the_lake_leaves_the_online_store(home: Settings, built_home: Settings):
    store.materialize(home)
    feast = store.open_store(home)
    view = feast.get_feature_view("user_profile")
    rows = newest_known(feast, view, EVER, AS_OF)
    rest = rows.filter(pa.array([key != "u05" for key in rows["user_id"].to_pylist()]))
    with sqlite_writer.one_generation(feast) as write:
        write(view, rest, whole=True)
    assert store.get_online(home, user_id="u05")["known_at"]["user_profile"] is None
    assert store.get_online(home, user_id="u06")["known_at"]["user_profile"] is not None


def test_materializing_before_building_or_applying_says_what_to_do(
    ingested_home: Settings, built_home: Settings, tmp_path
):
    with pytest.raises(FeatureError, match="aisle features build"):
        store.materialize(Settings(home=tmp_path, lake_uri=ingested_home.lake_root))
    (tmp_path / "other").mkdir()
    with pytest.raises(FeatureError, match="aisle features apply"):
        store.materialize(Settings(home=tmp_path / "other", lake_uri=built_home.lake_root))


def test_online_values_are_read_where_neither_the_lake_nor_duckdb_is_installed(built_home: Settings):
    program = textwrap.dedent(
        """
        import importlib.abc, sys
        class Absent(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"duckdb", "ibis", "deltalake", "polars", "tensorflow"}:
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Absent())
        from feast import FeatureStore, RepoConfig
        home = sys.argv[1]
        store = FeatureStore(config=RepoConfig(
            project="aisle", provider="local",
            registry={"path": f"{home}/feast/registry.db"},
            online_store=dict(
                type="serving.features.online_store.sqlite.SqliteRowOnlineStore",
                path=f"{home}/feast/online.db",
            ),
            entity_key_serialization_version=3,
        ))
        service = store.get_feature_service("retrieval_v1")
        row = store.get_online_features(service, [{"user_id": "u05"}]).to_dict()
        print(len(row["item_ids"][0]))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(built_home.home)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(newest_of(built_home, "user_history", "u05")["item_ids"])
