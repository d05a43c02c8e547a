"""Spark answers what DuckDB answers: the same expressions, every feature table, on `local[2]`."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from feast import FeatureStore, FeatureView, RepoConfig
from pydantic import ValidationError

from feature_repo.entities import user
from pipelines.errors import FeatureError
from pipelines.features.build import build_features, feature_tables
from pipelines.features.engines.duckdb import DuckDBEngine
from pipelines.features.engines.select import Connect, engine_of
from pipelines.features.engines.spark_session import spark_session
from pipelines.features.parity.recompute import known_keys, recomputed
from pipelines.features.registry.declarations import declared_views, lake_table_of
from pipelines.features.registry.feast import open_store
from pipelines.features.transforms.config import FeatureConfig
from pipelines.lake import SCHEMAS, Lake, open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF
from tests.features.databases import missing
from tests.features.small_shop import at, event, write_shop

pytestmark = [
    pytest.mark.timeout(900),  # half a minute each on idle cores, but Java starts cold
    # pyspark leaves to Python to close what it takes rows through
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

RELATIVE = 1e-9
"""How far two floats may lie apart; everything else is equal exactly."""

SPARK = Settings(engine="spark", spark_master="local[2]", spark_memory="1g", spark_partitions=2)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """One session for the whole file."""
    if importlib.util.find_spec("pyspark") is None:
        missing("no pyspark in this environment")
    if shutil.which("java") is None:
        missing("no java on this machine")
    conf = tmp_path_factory.mktemp("spark")
    # Short queries end before they would gain by what the second compiler of Java does.
    (conf / "spark-defaults.conf").write_text("spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(conf))
        with engine_of(SPARK)() as engine:
            yield lambda: nullcontext(engine)


def odd_shop(root: Path) -> Lake:
    """What engines see differently: ends of days, ties, halves, nulls, empty texts, other letters."""
    baskets = [
        event(
            f"u{user}", f"2024-03-0{day}T10:00:00", "purchase", item, session_id=f"s{user}-{day}", price=2.5
        )
        for user in (1, 2)
        for day in (1, 4, 7)
        for item in ("a", "b", "ü")
    ]
    events = [
        *baskets,
        event("u1", "1969-12-31T23:59:59.500000", "view", "a"),
        event("u1", "2024-03-09T23:59:59.999999", "view", "a", session_id=None),
        event("u1", "2024-03-10T00:00:00", "view", "b"),
        event("u1", "2024-03-10T00:00:00", "cart", "a"),
        event("u1", "2024-03-10T00:00:00.000001", "purchase", "b", price=0.0000005, quantity=None),
        event("u1", "2024-03-10T08:00:00", "purchase", "c", price=None, quantity=2.0),
        event("u2", "2024-03-10T08:00:00", "purchase", "c", price=0.1, quantity=3.0, discount=0.07),
        event("u2", "2024-03-10T09:00:00", "search", None, search_query="ü"),
        event("u2", "2024-03-10T09:00:01", "impression", "d"),
        event("u2", "2024-03-10T09:00:02", "rating", "a", rating=4.5),
        event("u2", "2024-03-10T09:00:03", "rating", "b", rating=None),
        event("Ü 3|x", "2024-03-10T10:00:00", "view", "e"),
    ]
    items = [
        {
            "item_id": "a",
            "category": "Food > Bread > Rye",
            "brand": "B1",
            "price": 2.5,
            "attributes": ["x:1"],
        },
        {"item_id": "a", "category": "Food > Cake", "brand": "B2", "updated_at": at("2024-03-05")},
        {"item_id": "b", "category": "Food", "brand": "", "attributes": []},
        {"item_id": "c", "category": "", "brand": "b1"},
        {"item_id": "d", "category": "Food > ", "brand": "Ünal", "available": False},
        {"item_id": "ü", "category": "food > bread.*", "brand": "B1", "title": "It's \\ 'ü'"},
    ]
    users = [
        {"user_id": "u1", "gender": "f", "attributes": ["income:high", "income:low", "kids_count:"]},
        {"user_id": "u2", "gender": "m", "consent": False, "attributes": ["income:low"]},
        {"user_id": "u2", "location": "Zürich", "consent": True, "updated_at": at("2024-03-06T12:00:00")},
    ]
    return write_shop(root, events, items, users)


def late_events() -> pa.Table:
    """Events that are ingested after others that happened later."""
    rows = [
        event("u1", "2024-03-02T12:00:00", "purchase", "b", price=9.99, session_id="late"),
        event("u4", "2024-02-29T23:59:59.999999", "view", "a"),
    ]
    return pa.Table.from_pylist(
        [
            {"event_id": f"late{number}", "event_on": row["event_at"].date(), "source": "test"} | row
            for number, row in enumerate(rows)
        ],
        SCHEMAS["events"],
    )


def tables_of(lake: Lake) -> dict[str, pa.Table]:
    return {name: lake.read(lake_table_of(view)) for name, view in declared_views().items()}


def differences(ours: pa.Table, theirs: pa.Table) -> list[str]:
    """Columns that differ, rows brought in the order of key and instant."""
    order = [(name, "ascending") for name in ours.column_names if name.endswith("_id") or name == "known_at"]
    assert ours.schema == theirs.schema
    assert ours.num_rows == theirs.num_rows
    ours, theirs = ours.sort_by(order).combine_chunks(), theirs.sort_by(order).combine_chunks()
    return [name for name in ours.column_names if not equal(ours[name], theirs[name])]


def equal(ours: Any, theirs: Any) -> bool:
    if pa.types.is_list(ours.type) and pa.types.is_floating(ours.type.value_type):
        lengths = pc.list_value_length(ours).equals(pc.list_value_length(theirs))
        return lengths and equal(pc.list_flatten(ours), pc.list_flatten(theirs))
    if not pa.types.is_floating(ours.type):
        return bool(ours.equals(theirs))
    known = pc.is_valid(ours)
    return known.equals(pc.is_valid(theirs)) and np.allclose(
        ours.drop_null().to_numpy(), theirs.drop_null().to_numpy(), rtol=RELATIVE, atol=0
    )


def assert_same_tables(ours: dict[str, pa.Table], theirs: dict[str, pa.Table]) -> None:
    assert set(ours) == set(theirs) == set(feature_tables(FeatureConfig()))
    assert {name: differences(ours[name], theirs[name]) for name in ours} == {name: [] for name in ours}


@pytest.mark.slow
def test_every_feature_table_of_the_tiny_shop_is_that_of_duckdb(
    ingested_home: Settings, built_home: Settings, spark: Connect, tmp_path: Path
):
    settings = Settings(home=tmp_path)
    shutil.copytree(ingested_home.lake_root, settings.lake_root)
    report = build_features(open_lake(settings), AS_OF, connect=spark)
    by_spark, by_duckdb = tables_of(open_lake(settings)), tables_of(open_lake(built_home))
    assert min(report.tables.values()) > 50
    assert report.tables == {name: table.num_rows for name, table in by_duckdb.items()}
    assert_same_tables(by_duckdb, by_spark)


@pytest.mark.slow
def test_late_events_and_odd_values_make_no_difference(spark: Connect, tmp_path: Path):
    by_duckdb, by_both = (odd_shop(tmp_path / name) for name in ("duckdb", "both"))
    as_of = at("2024-03-11")
    for lake in (by_duckdb, by_both):
        build_features(lake, as_of)
    before = tables_of(by_both)
    for lake in (by_duckdb, by_both):
        lake.append("events", late_events())
    build_features(by_duckdb, as_of)
    build_features(by_both, as_of, connect=spark)  # in the middle of a lake's life, the engine may change
    late = tables_of(by_both)
    assert_same_tables(tables_of(by_duckdb), late)
    assert all(table.num_rows for table in late.values())
    assert "u4" in late["user_activity"]["user_id"].to_pylist()
    assert "u4" not in before["user_activity"]["user_id"].to_pylist()


def test_a_few_entities_are_computed_anew_alike(spark: Connect, tmp_path: Path):
    lake, as_of = odd_shop(tmp_path), at("2024-03-11")
    users = known_keys(lake, "user_id", spark)
    assert users == known_keys(lake, "user_id") == ["u1", "u2", "Ü 3|x"]
    versions = {name: lake.version(name) for name in ("events", "items", "users")}
    keys = {"user_id": pa.array(["u2", "nobody"])}
    ours = recomputed(lake, keys, as_of, as_of, FeatureConfig(), versions)
    theirs = recomputed(lake, keys, as_of, as_of, FeatureConfig(), versions, spark)
    assert set(ours) == set(theirs) != set()
    for name, table in ours.items():
        assert table.num_rows == 2
        assert [one for one in table.column_names if not equal(table[one], theirs[name][one])] == []


def test_an_older_version_of_the_lake_is_read_as_it_was(spark: Connect, tmp_path: Path):
    lake = odd_shop(tmp_path)
    version = lake.version("events")
    lake.append("events", late_events())
    with spark() as engine:
        ids = [
            engine.rows(engine.table(lake, "events", ["event_id"], one), schema).read_all().num_rows
            for schema in [pa.schema([("event_id", pa.string())])]
            for one in (version, version + 1)
        ]
    assert ids[1] == ids[0] + 2


def test_a_table_without_rows_can_be_read(spark: Connect, tmp_path: Path):
    lake = write_shop(tmp_path, [])
    with spark() as engine:
        table = engine.table(lake, "items", ["item_id", "updated_at"])
        assert engine.rows(table, pa.schema([("item_id", pa.string())])).read_all().num_rows == 0


def test_what_overflows_is_an_error_and_not_another_number(spark: Connect):
    with spark() as engine:
        greatest = engine.given(pa.table({"n": pa.array([2**63 - 1])}))
        with pytest.raises(FeatureError, match=r"(?i)overflow"):
            engine.keep(greatest.mutate(n=greatest.n + 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The spark .* is an experimental feature:RuntimeWarning")
def test_feasts_spark_store_finds_the_values_that_ours_finds(
    built_home: Settings, spark: Connect, tmp_path: Path
):
    """In types, order and time zone it differs: `docs/spark.md`."""
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    rows = [
        *[("u01", "2024-03-01T12:00:00"), ("u02", "2024-04-19T00:00:00"), ("u02", "2024-04-19T00:00:00")],
        *[("u03", "2024-04-01T00:00:00.000001"), ("nobody", "2024-04-01T00:00:00")],
        ("u05", "2019-12-01T00:00:00"),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "event_timestamp"]).assign(row=range(len(rows)))
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True, format="ISO8601")
    lake, declared = open_lake(built_home), declared_views()
    views = [declared[name] for name in ("user_activity", "user_affinity")]
    refs = [f"{view.name}:{one.name}" for view in views for one in view.features]
    with spark() as engine:
        session: Any = engine.session  # type: ignore[attr-defined]
        theirs = FeatureStore(
            config=RepoConfig(
                project="aisle",
                provider="local",
                registry=str(tmp_path / "registry.db"),
                online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
                offline_store={"type": "spark"},
                entity_key_serialization_version=3,
            )
        )
        for view in views:
            table = lake_table_of(view)
            session.read.parquet(*lake.uris(table)).createOrReplaceTempView(table)
            source = SparkSource(name=table, table=table, timestamp_field="known_at")
            schema = [*view.entity_columns, *view.features]
            same = FeatureView(name=view.name, entities=[user], ttl=view.ttl, schema=schema, source=source)
            theirs.apply([user, same])
        found = theirs.get_historical_features(frame.copy(), refs).to_df().sort_values("row")
        session.conf.unset("spark.sql.parser.quotedRegexColumnNames")  # Feast sets it for the whole session
    wanted = open_store(built_home).get_historical_features(frame.copy(), refs).to_df()
    assert found["row"].tolist() == wanted["row"].tolist() == list(range(len(rows)))
    for ref in refs:
        name = ref.partition(":")[2]
        ours, other = (pa.array(one[name], from_pandas=True).to_pylist() for one in (wanted, found))
        assert ours == other, name
    assert wanted["spend_30d"].notna().tolist() == [True, True, True, True, False, False]


def test_duckdb_computes_unless_told_otherwise_and_spark_is_not_imported():
    with engine_of(Settings())() as engine:
        assert isinstance(engine, DuckDBEngine)
    told = "import sys, pipelines.features.tasks; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AISLE_ENGINE", "dask")
    with pytest.raises(ValidationError, match="engine"):
        Settings()


def test_without_pyspark_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FeatureError, match=r"pip install 'aisle\[spark\]'"), spark_session(SPARK):
        pass


def test_without_java_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(FeatureError, match="needs Java 17 or 21"), spark_session(SPARK):
        pass


def test_a_cluster_needs_a_folder_that_its_workers_share(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/usr/bin/java")
    settings = Settings(engine="spark", spark_master="spark://cluster:7077")
    with pytest.raises(FeatureError, match="AISLE_SPARK_SCRATCH"), spark_session(settings):
        pass
