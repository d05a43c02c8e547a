"""Users looked up in a real Feast online store."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Array, Float64, Int64, String

from serving.features.user_features import ONLINE_STORE, UserFeatures
from serving.settings import ServingSettings

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
Open = Callable[..., UserFeatures]


@pytest.fixture(scope="module")
def feast_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An online store with user u1, whose activity is 6 hours old and lives for a day."""
    home = tmp_path_factory.mktemp("home")
    (home / "feast").mkdir()
    store = FeatureStore(
        config=RepoConfig(
            project="aisle",
            provider="local",
            registry=str(home / "feast" / "registry.db"),
            online_store={"type": ONLINE_STORE, "path": str(home / "feast" / "online.db")},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    source = FileSource(name="rows", path="rows.parquet", timestamp_field="known_at")
    activity = FeatureView(
        name="user_activity",
        entities=[user],
        ttl=timedelta(days=1),
        schema=[Field(name="purchases_30d", dtype=Int64), Field(name="spend_30d", dtype=Float64)],
        source=source,
    )
    history = FeatureView(
        name="user_history",
        entities=[user],
        ttl=timedelta(0),
        schema=[
            Field(name="item_ids", dtype=Array(String)),
            Field(name="event_types", dtype=Array(String)),
            Field(name="event_times", dtype=Array(Int64)),
        ],
        source=source,
    )
    store.apply([user, activity, history, FeatureService(name="retrieval_v1", features=[activity, history])])
    known_at = NOON - timedelta(hours=6)
    store.write_to_online_store(
        "user_activity",
        pd.DataFrame(
            {"user_id": ["u1"], "purchases_30d": [7], "spend_30d": [None], "known_at": [known_at]}
        ).astype({"spend_30d": "float64"}),
    )
    store.write_to_online_store(
        "user_history",
        pd.DataFrame(
            {
                "user_id": ["u1"],
                "item_ids": [["i2", "i1"]],
                "event_types": [["cart", "view"]],
                "event_times": [[1714500000, 1714400000]],
                "known_at": [known_at],
            }
        ),
    )
    return home


@pytest.fixture
def open_features() -> Iterator[Open]:
    opened: list[UserFeatures] = []

    def open_for(home: Path, **more: object) -> UserFeatures:
        features = UserFeatures(ServingSettings(home=home, **more))
        opened.append(features)
        features.start()
        assert features.wait_until_opened(60)
        return features

    yield open_for
    for features in opened:
        features.stop()


def test_a_known_user_has_all_features_by_their_names(feast_home: Path, open_features: Open) -> None:
    features = open_features(feast_home)
    assert features.fault is None
    row = features.row_of("u1", NOON)
    assert row.degraded == ()
    assert row.values == {
        "purchases_30d": 7,
        "spend_30d": None,
        "item_ids": ["i2", "i1"],
        "event_types": ["cart", "view"],
        "event_times": [1714500000, 1714400000],
    }


def test_an_unknown_user_is_an_empty_row_and_nothing_is_missing(
    feast_home: Path, open_features: Open
) -> None:
    row = open_features(feast_home).row_of("stranger", NOON)
    assert (row.values, row.degraded) == ({}, ())


def test_values_past_their_time_to_live_are_left_out_although_feast_returns_them(
    feast_home: Path, open_features: Open
) -> None:
    row = open_features(feast_home).row_of("u1", NOON + timedelta(hours=18, seconds=1))
    assert row.degraded == ("user_features_stale",)
    # The history has no time to live, the activity a day.
    assert set(row.values) == {"item_ids", "event_types", "event_times"}
    at_the_limit = open_features(feast_home).row_of("u1", NOON + timedelta(hours=18))
    assert at_the_limit.values["purchases_30d"] == 7


def test_without_a_store_rows_are_empty_and_say_so(tmp_path: Path, open_features: Open) -> None:
    features = open_features(tmp_path)
    assert "aisle features materialize" in str(features.fault)
    assert features.row_of("u1", NOON).degraded == ("user_features",)


def test_a_store_without_the_service_says_what_to_run(
    feast_home: Path, tmp_path: Path, open_features: Open
) -> None:
    features = open_features(feast_home, feast_project="other")
    assert "aisle features apply" in str(features.fault)


def test_a_store_that_hangs_costs_one_request_the_limit_and_the_next_nothing(
    feast_home: Path, open_features: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    features = open_features(feast_home, features_timeout_s=0.1)

    def hang(*_: object) -> None:
        time.sleep(1)

    monkeypatch.setattr(features, "_read", hang)
    began = time.perf_counter()
    assert features.row_of("u1", NOON).degraded == ("user_features",)
    assert 0.1 <= time.perf_counter() - began < 0.6
    began = time.perf_counter()
    assert features.row_of("u1", NOON).degraded == ("user_features",)
    assert time.perf_counter() - began < 0.05
    assert "did not answer within 0.1 s" in str(features.fault)


def test_a_store_that_fails_costs_no_list(
    feast_home: Path, open_features: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = open_features(feast_home)

    def fail(*_: object) -> None:
        raise RuntimeError("disk image is malformed")

    monkeypatch.setattr(features, "_read", fail)
    assert features.row_of("u1", NOON).degraded == ("user_features",)
    assert "disk image is malformed" in str(features.fault)
