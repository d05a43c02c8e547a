"""The ASOF store against twenty lines of brute force, over thousands of generated cases, and against Feast's.

Each case draws feature rows (corrected, repeated, without key or instant), entity rows (duplicates, nulls,
unknown keys, instants in several zones or none, labels before the first feature), the views to join (mapped
fields, time to live, created timestamps, two keys, no key, two roles of one entity) and how it is asked for
(references or a service, long names or short, as Arrow, as data frame, saved to a file).
"""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Array, Float64, Int64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.features.offline_store.store import AsofOfflineStore

START = datetime(2024, 3, 10, tzinfo=UTC)
"""On this day New York changes to summer time."""

TTL = timedelta(hours=5)
CASES = 2000
STAMP = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("shop_id", pa.int64()),
        ("known_raw", STAMP),
        ("created_raw", STAMP),
        ("n_raw", pa.int64()),
        ("x", pa.float64()),
        ("tags", pa.list_(pa.string())),
    ]
)
MAPPED = {"known_raw": "known_at", "created_raw": "created_at", "n_raw": "n"}

VIEWS: dict[str, dict[str, Any]] = {
    "plain": {"keys": {"user_id": "user_id"}},
    "fresh": {"keys": {"user_id": "user_id"}, "ttl": TTL},
    "corrected": {"keys": {"user_id": "user_id"}, "created": True},
    "pair": {"keys": {"user_id": "user_id", "shop_id": "shop_id"}, "ttl": TTL},
    "everybody": {"keys": {}},
    "giver": {"keys": {"giver_id": "user_id"}},
    "taker": {"keys": {"taker_id": "user_id"}},
}
"""Each view's entity columns and the columns of the rows, its time to live, whether corrections count."""


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def oracle(
    view: str, rows: list[dict[str, Any]], entity: dict[str, Any], at: datetime | None, before: bool
) -> dict[str, Any]:
    """Of the rows of these keys known by an instant the newest, its last correction, while it lives."""
    about = VIEWS[view]
    created = about.get("created", False)
    known = [
        row
        for row in rows
        if at is not None
        and row["known_raw"] is not None
        and row["known_raw"] <= at
        and all(
            entity[ours] is not None and entity[ours] == row[theirs] for ours, theirs in about["keys"].items()
        )
        and not (created and before and row["created_raw"] > at)
    ]
    newest = max(known, key=lambda row: (row["known_raw"], row["created_raw"]), default=None)
    if newest is None or (about.get("ttl") and at - newest["known_raw"] > about["ttl"]):
        return dict.fromkeys(("n", "x", "tags"))
    return {"n": newest["n_raw"], "x": newest["x"], "tags": newest["tags"]}


def make_store(folder: Path, offline_store: dict[str, str]) -> FeatureStore:
    store = FeatureStore(
        config=RepoConfig(
            project="test",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store=offline_store,
            entity_key_serialization_version=3,
        )
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    shop = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.INT64)
    features = [
        Field(name="n", dtype=Int64),
        Field(name="x", dtype=Float64),
        Field(name="tags", dtype=Array(String)),
    ]
    keys = {"user_id": Field(name="user_id", dtype=String), "shop_id": Field(name="shop_id", dtype=Int64)}

    def view(name: str) -> FeatureView:
        columns = list(VIEWS[name]["keys"].values())
        return FeatureView(
            name=name,
            entities=[one for one, key in ((user, "user_id"), (shop, "shop_id")) if key in columns],
            ttl=VIEWS[name].get("ttl", timedelta(0)),
            schema=[*(keys[key] for key in columns), *features],
            source=FileSource(
                name=f"{name}_source",
                path=str(folder / f"{name}.parquet"),
                timestamp_field="known_at",
                created_timestamp_column="created_at" if VIEWS[name].get("created") else None,
                field_mapping=MAPPED,
            ),
        )

    views = [view(name) for name in ("plain", "fresh", "corrected", "pair", "everybody")]
    for name in VIEWS:
        write_rows(folder, name, [])
    store.apply([user, shop, *views])
    return store


def write_rows(folder: Path, view: str, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / f"{view}.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oracle")


@pytest.fixture(scope="module")
def store(folder: Path) -> FeatureStore:
    ours = {"type": "pipelines.features.offline_store.store.AsofOfflineStore", "lake_root": str(folder)}
    return make_store(folder, ours)


ZONES = (
    UTC,
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("America/New_York"),
    timezone(timedelta(hours=-3, minutes=-30)),
)
USERS = ("anna", "bob", "carl|☃")
USER = st.sampled_from([*USERS, "stranger", "", None])
SHOPS = (1, 2, 2**40)

one_row = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from([*USERS, None]),
        "shop_id": st.sampled_from([*SHOPS, None]),
        "known_raw": st.one_of(st.integers(0, 20), st.integers(0, 20), st.none()).map(
            lambda n: None if n is None else hour(n)
        ),
        "created_raw": st.integers(0, 40).map(lambda n: hour(n / 2)),
        "n_raw": st.none() | st.integers(-(2**63), 2**63 - 1),
        "x": st.none() | st.floats(allow_nan=False),
        "tags": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
    }
)
feature_rows = st.lists(
    one_row, max_size=20, unique_by=lambda row: (row["user_id"], row["known_raw"], row["created_raw"])
)
entity_rows = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": USER,
            "giver_id": USER,
            "taker_id": USER,
            "shop_id": st.sampled_from([*SHOPS, 99, None]),
            "event_timestamp": st.none() | st.tuples(st.integers(-30, 300), st.sampled_from(ZONES)),
            "label": st.integers(0, 9),
        }
    ),
    min_size=1,
    max_size=15,
).map(lambda rows: rows + rows[: len(rows) // 3])
asked_for = st.fixed_dictionaries(
    {
        "views": st.lists(st.sampled_from(sorted(VIEWS)), min_size=1, max_size=2, unique=True),
        "features": st.lists(st.sampled_from(["n", "x", "tags"]), min_size=1, max_size=3, unique=True),
        "before": st.booleans(),
        "by_service": st.integers(0, 7),
        "form": st.sampled_from(["arrow", "arrow", "frame", "file"]),
    }
)


def rows_of(view: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only a view with created timestamps knows what to do with two rows of one key and instant."""
    if VIEWS[view].get("created"):
        return rows
    columns = list(VIEWS[view]["keys"].values())
    return list({(*(row[key] for key in columns), row["known_raw"]): row for row in reversed(rows)}.values())


def frame_of(entities: list[dict[str, Any]]) -> pd.DataFrame:
    """Users and instants in several zones, in tenths of an hour, and a column of the caller's own."""
    columns = {name: [row[name] for row in entities] for name in entities[0]}
    columns["event_timestamp"] = [
        None if one is None else hour(one[0] / 10).astimezone(one[1]) for one in columns["event_timestamp"]
    ]
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def views_of(store: FeatureStore, wanted: dict[str, Any]) -> list[FeatureView]:
    """The views with the features that are wanted; two of them are roles of one entity."""
    chosen = []
    for name in wanted["views"]:
        if name in ("giver", "taker"):
            view = store.get_feature_view("plain").with_name(name)
            view = view.with_join_key_map({"user_id": f"{name}_id"})
        else:
            view = store.get_feature_view(name)
        chosen.append(view[wanted["features"]])
    return chosen


def job_of(store: FeatureStore, frame: pd.DataFrame, wanted: dict[str, Any]) -> Any:
    """By a service of the registry, which takes its time, in one case of eight; else by the store itself."""
    views = views_of(store, wanted)
    # Feast cannot put a view and the same view by another name into one order, as a service's apply does.
    is_mixed = "plain" in wanted["views"] and bool({"giver", "taker"} & set(wanted["views"]))
    if wanted["by_service"] == 0 and not is_mixed:
        service = FeatureService(name="asked_v1", features=views)
        store.apply([service])
        return store.get_historical_features(
            frame, service, full_feature_names=True, filter_by_created_timestamp=wanted["before"]
        )
    return AsofOfflineStore.get_historical_features(
        config=store.config,
        feature_views=views,
        feature_refs=[
            f"{view.projection.name_to_use()}:{name}" for view in views for name in wanted["features"]
        ],
        entity_df=frame,
        registry=store.registry,
        project=store.project,
        full_feature_names=True,
        filter_by_created_timestamp=wanted["before"],
    )


def answer_of(job: Any, form: str, folder: Path) -> list[dict[str, Any]]:
    if form == "frame":
        frame = job.to_df()
        assert len(frame) == job.to_arrow().num_rows
    if form == "file":
        job.persist(SavedDatasetFileStorage(str(folder / "saved.parquet")), allow_overwrite=True)
        return pq.read_table(folder / "saved.parquet").to_pylist()
    return job.to_arrow().to_pylist()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=feature_rows, entities=entity_rows, wanted=asked_for)
def test_every_row_comes_out_once_in_order_with_what_brute_force_finds(store, folder, rows, entities, wanted):
    held = {view: rows_of(view, rows) for view in wanted["views"]}
    for view, of_view in held.items():  # both roles read the rows of `plain`
        write_rows(folder, "plain" if view in ("giver", "taker") else view, of_view)
    frame = frame_of(entities)
    answer = answer_of(job_of(store, frame, wanted), wanted["form"], folder)
    assert [row["label"] for row in answer] == [row["label"] for row in entities]
    for row, entity, at in zip(answer, entities, frame["event_timestamp"], strict=True):
        assert row["event_timestamp"] == at
        for view in wanted["views"]:
            expected = oracle(view, held[view], entity, at, wanted["before"])
            for name in wanted["features"]:
                assert row[f"{view}__{name}"] == expected[name], (view, name, entity, at)


def test_answers_are_those_of_feast_own_duckdb_store_where_it_is_right(store, folder, tmp_path):
    """Where it is right: no two entity rows alike, no nulls, no zones."""
    random = np.random.default_rng(5)
    known = random.permutation(400)
    rows = [
        {
            "user_id": USERS[n % 3],
            "shop_id": int(n % 5),
            "known_raw": hour(n / 10),
            "created_raw": hour(n / 10),
            "n_raw": int(n),
            "x": float(n) / 3,
            "tags": [str(n), "t"],
        }
        for n in known
    ]
    theirs = make_store(tmp_path, {"type": "duckdb"})
    for name in ("plain", "fresh", "pair"):
        write_rows(folder, name, rows)
        write_rows(tmp_path, name, rows)
    minutes = random.choice(3000, size=300, replace=False)
    frame = pd.DataFrame(
        {
            "user_id": [USERS[n % 3] for n in minutes],
            "shop_id": [int(n % 7) for n in minutes],
            "event_timestamp": [hour(n / 60) for n in minutes],
        }
    )
    refs = [f"{view}:{name}" for view in ("plain", "fresh", "pair") for name in ("n", "x", "tags")]

    def answer(of: FeatureStore) -> list[dict[str, Any]]:
        found = of.get_historical_features(frame.copy(), refs, full_feature_names=True).to_arrow()
        rows = [
            {
                name: list(value) if isinstance(value, (list, np.ndarray)) else value
                for name, value in row.items()
            }
            for row in found.to_pylist()
        ]
        return sorted(rows, key=lambda row: row["event_timestamp"])

    mine, other = answer(store), answer(theirs)
    assert len(mine) == len(other) == 300
    for ours_row, theirs_row in zip(mine, other, strict=True):
        assert ours_row == {name: theirs_row[name] for name in ours_row}
    assert sum(row["pair__n"] is None for row in mine) > 20
