"""A value past its time to live is null with its age, offline and online alike."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.errors import FeatureNameCollisionError
from feast.infra.online_stores.online_store import OnlineStore
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Array, Bool, Float64, Int64, String

from pipelines.features.registry.feast import feast_talks_to_people
from serving.features.online_store.response import OnlineAnswer, say_what_expired

TTL = timedelta(hours=5)
STAMP = pa.timestamp("us", tz="UTC")
NOW = datetime.now(UTC)
FEATURES = ["n", "x", "word", "yes", "tags"]
ROWS = [
    {"user_id": "fresh", "known_at": NOW - timedelta(hours=4), "n": 1, "x": float("nan"), "word": "7"},
    {"user_id": "old", "known_at": NOW - timedelta(hours=6), "n": 2, "x": 2.5, "word": "b"},
    {"user_id": "odd", "known_at": NOW - timedelta(hours=1), "n": -(2**63), "x": -0.0, "word": ""},
]
KIND = {
    "user_id": (pa.string(), String),
    "known_at": (STAMP, None),
    "n": (pa.int64(), Int64),
    "x": (pa.float64(), Float64),
    "word": (pa.string(), String),
    "yes": (pa.bool_(), Bool),
    "tags": (pa.list_(pa.string()), Array(String)),
}


def open_store(folder: Path, online_store: str) -> FeatureStore:
    return FeatureStore(
        config=RepoConfig(
            project="test",
            provider="local",
            registry=str(folder / f"{online_store}.registry.db"),
            online_store={"type": online_store, "path": str(folder / f"{online_store}.db")},
            offline_store={
                "type": "pipelines.features.offline_store.store.AsofOfflineStore",
                "lake_root": str(folder),
            },
            entity_key_serialization_version=3,
        )
    )


def materialized(folder: Path, online_store: str) -> FeatureStore:
    """Feast over one file, materialized by Feast's own path."""
    rows = [row | {"yes": row["n"] > 1, "tags": [row["word"], None]} for row in ROWS]
    pq.write_table(
        pa.Table.from_pylist(rows, pa.schema([(name, kind) for name, (kind, _) in KIND.items()])),
        folder / "rows.parquet",
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    schema = [Field(name=name, dtype=dtype) for name, (_, dtype) in KIND.items() if dtype is not None]

    def view(name: str, ttl: timedelta) -> FeatureView:
        source = FileSource(
            name=f"{name}_source", path=str(folder / "rows.parquet"), timestamp_field="known_at"
        )
        return FeatureView(name=name, entities=[user], ttl=ttl, schema=schema, source=source)

    store = open_store(folder, online_store)
    with feast_talks_to_people():
        store.apply([user, view("mortal", TTL), view("immortal", timedelta(0))])
        store.materialize(NOW - timedelta(days=1), NOW)
    return store


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return materialized(
        tmp_path_factory.mktemp("ours"), "serving.features.online_store.sqlite.SqliteRowOnlineStore"
    )


def refs(view: str) -> list[str]:
    return [f"{view}:{name}" for name in FEATURES]


def by_feast(
    store: FeatureStore, features: list[str], rows: Any, *, full_feature_names: bool
) -> OnlineResponse:
    """The answer of Feast's own code over our store, a message for each value."""
    online = store._get_provider().online_store
    response = OnlineStore.get_online_features(
        online, store.config, features, rows, store.registry, store.project, full_feature_names
    )
    say_what_expired(response.proto)
    return response


@pytest.mark.parametrize("full_feature_names", [True, False])
@pytest.mark.parametrize(
    "rows",
    [
        [{"user_id": "odd"}],
        [{"user_id": one} for one in ("old", "nobody", "fresh", "old", "odd", "☃", "")],
        {"user_id": ["odd", "old"]},
        [{"user_id": "fresh", "colour": "red"}, {"user_id": "odd", "colour": "blue"}],
    ],
)
def test_an_answer_is_that_of_feast_bit_for_bit(ours, rows: Any, full_feature_names: bool):
    views = ("mortal", "immortal") if full_feature_names else ("mortal",)
    features = [one for view in views for one in refs(view)]
    answer = ours.get_online_features(features, rows, full_feature_names=full_feature_names)
    theirs = by_feast(ours, features, rows, full_feature_names=full_feature_names)
    assert isinstance(answer, OnlineAnswer)
    # repr tells -0.0 from 0.0
    assert repr(answer.to_dict()) == repr(theirs.to_dict())
    assert answer.proto.SerializeToString(deterministic=True) == theirs.proto.SerializeToString(
        deterministic=True
    )
    assert repr(answer.to_dict(include_event_timestamps=True)) == repr(
        theirs.to_dict(include_event_timestamps=True)
    )


def test_what_is_not_simple_is_answered_or_refused_by_feast(ours):
    features = refs("mortal")
    in_a_tuple = ours.get_online_features(features, {"user_id": ("fresh",)})
    assert (type(in_a_tuple), in_a_tuple.to_dict()["n"]) == (OnlineResponse, [1])
    with pytest.raises(ValueError, match="same keys"):
        ours.get_online_features(features, [{"user_id": "fresh"}, {"user_id": "old", "shop_id": 1}])
    with pytest.raises(KeyError, match="user_id"):
        ours.get_online_features(features, [{"shop_id": "fresh"}])
    with pytest.raises(FeatureNameCollisionError):
        ours.get_online_features([*features, *refs("immortal")], [{"user_id": "fresh"}])


def test_expired_values_are_null_online_with_the_instant_since_when_they_were_known(ours):
    response = ours.get_online_features(refs("mortal"), {"user_id": ["fresh", "old", "nobody"]})
    assert response.to_dict()["n"] == [1, None, None]
    # Feast answers the join key among the features, in no certain place.
    results = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
    assert set(results) == {"user_id", *FEATURES}
    for name in FEATURES:
        assert list(results[name].statuses)[1:] == [FieldStatus.OUTSIDE_MAX_AGE, FieldStatus.NOT_FOUND]
    known_at = results["n"].event_timestamps[1]
    assert (known_at.seconds, known_at.nanos // 1000) == (
        int(ROWS[1]["known_at"].timestamp()),
        ROWS[1]["known_at"].microsecond,
    )


def test_offline_says_the_same(ours):
    frame = pd.DataFrame({"user_id": ["fresh", "old", "nobody"], "event_timestamp": [NOW] * 3})
    job = ours.get_historical_features(frame, refs("mortal"))
    assert job.to_arrow()["n"].to_pylist() == [1, None, None]
    assert job.known_at()["mortal__known_at"].to_pylist() == [ROWS[0]["known_at"], ROWS[1]["known_at"], None]


def test_what_has_no_time_to_live_is_served_for_ever(ours):
    assert ours.get_online_features(refs("immortal"), {"user_id": ["old"]}).to_dict()["n"] == [2]


def test_a_value_lives_to_the_microsecond_as_offline(ours):
    store = ours._get_provider().online_store
    view = ours.get_feature_view("mortal")
    key = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val="old")])
    ends = ROWS[1]["known_at"] + TTL
    for at, alive in ((ends, True), (ends + timedelta(microseconds=1), False)):
        ((known_at, values),) = store.rows_at(ours.config, view, [key], ["n"], at)
        assert known_at == ROWS[1]["known_at"]
        assert (values is not None) == alive


def test_every_value_is_the_one_that_feast_own_store_would_serve(ours, tmp_path):
    theirs = materialized(tmp_path, "sqlite")
    keys = {"user_id": [row["user_id"] for row in ROWS] + ["nobody"]}
    mine, other = (
        one.get_online_features(refs("immortal"), dict(keys)).proto.results for one in (ours, theirs)
    )
    for ours_found, theirs_found in zip(mine, other, strict=True):
        assert [value.SerializeToString() for value in ours_found.values] == [
            value.SerializeToString() for value in theirs_found.values
        ]
        assert list(ours_found.statuses) == list(theirs_found.statuses)


def test_feast_own_store_still_serves_what_has_expired(tmp_path):
    """The reason for this store. When it fails, Feast has mended its own: see issue 6821 there."""
    theirs = materialized(tmp_path, "sqlite")
    assert theirs.get_online_features(refs("mortal"), {"user_id": ["old"]}).to_dict()["n"] == [2]


def test_numbers_and_texts_can_be_read_by_any_tool(ours):
    connection = sqlite3.connect(ours.config.online_store.path)
    found = connection.execute(
        "SELECT n, x, word, yes FROM test_immortal WHERE instr(__entity_key, ?) > 0", (b"old",)
    ).fetchall()
    connection.close()
    assert found == [(2, 2.5, "b", 1)]


def test_a_new_feature_is_null_and_one_of_another_type_empties_its_view(tmp_path):
    store = materialized(tmp_path, "serving.features.online_store.sqlite.SqliteRowOnlineStore")
    view = store.get_feature_view("immortal")
    kept = [field for field in view.schema if field.name != "x"]

    def served(*names: str) -> list[object]:
        store.refresh_registry()
        found = store.get_online_features([f"immortal:{name}" for name in names], {"user_id": ["old"]})
        return [found.to_dict()[name][0] for name in names]

    def declare(*fields: Field) -> None:
        changed = FeatureView(
            name="immortal",
            entities=[store.get_entity("user")],
            ttl=timedelta(0),
            schema=list(fields),
            source=view.batch_source,
        )
        with feast_talks_to_people():
            store.apply([changed])

    declare(*kept, Field(name="added", dtype=Int64))
    assert served("n", "added") == [2, None]
    declare(*(field for field in kept if field.name != "n"), Field(name="n", dtype=String))
    assert served("n") == [None]
