"""Users looked up in a real Redis, which goes and comes back."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Int64, String
from pydantic import SecretStr

from serving.features import user_features as features_module
from serving.features.online_store.redis_url import feast_connection
from serving.features.user_features import REDIS_STORE, UserFeatures
from serving.settings import ServingSettings
from tests.features.databases import OwnRedis, own_redis

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnRedis]:
    with own_redis(tmp_path) as running:
        yield running


def filled(home: Path, url: str) -> None:
    """Write user u1 into Redis: activity of 6 hours ago that lives for a day, and a place for ever."""
    store = FeatureStore(
        config=RepoConfig(
            project="aisle",
            provider="local",
            registry=str(home / "feast" / "registry.db"),
            online_store={"type": REDIS_STORE, "connection_string": feast_connection(url)},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    source = FileSource(name="rows", path="rows.parquet", timestamp_field="known_at")
    views = [
        FeatureView(
            name=name, entities=[user], ttl=ttl, schema=[Field(name=feature, dtype=kind)], source=source
        )
        for name, ttl, feature, kind in (
            ("user_activity", timedelta(days=1), "purchases_30d", Int64),
            ("user_profile", timedelta(0), "location", String),
        )
    ]
    store.apply([user, *views, FeatureService(name="retrieval_v1", features=views)])
    known_at = NOON - timedelta(hours=6)
    for name, column in (
        ("user_activity", {"purchases_30d": [7]}),
        ("user_profile", {"location": ["south"]}),
    ):
        frame = pd.DataFrame({"user_id": ["u1"], "known_at": [known_at], **column})
        store.write_to_online_store(name, frame)


def test_users_are_found_in_redis_and_again_after_it_was_gone(
    server: OwnRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "REST_S", 0.2)
    home = tmp_path / "home"
    (home / "feast").mkdir(parents=True)
    filled(home, server.url)
    features = UserFeatures(
        ServingSettings(home=home, redis_url=SecretStr(server.url), features_timeout_s=30)
    )
    features.start()
    try:
        assert features.wait_until_opened(60)
        assert features.fault is None
        both = {"purchases_30d": 7, "location": "south"}
        assert features.row_of("u1", NOON).values == both
        assert features.row_of("stranger", NOON).values == {}
        expired = features.row_of("u1", NOON + timedelta(hours=19))
        assert (expired.values, expired.degraded) == ({"location": "south"}, ("user_features_stale",))
        server.stop()
        gone = features.row_of("u1", NOON)
        assert (gone.values, gone.degraded) == ({}, ("user_features",))
        assert "ConnectionError" in str(features.fault)
        server.start()
        filled(home, server.url)
        time.sleep(0.3)  # the rest that a failed store is given
        assert features.row_of("u1", NOON).values == both
        assert features.fault is None
    finally:
        features.stop()


def test_an_address_that_is_none_says_so(tmp_path: Path) -> None:
    features = UserFeatures(ServingSettings(home=tmp_path, redis_url=SecretStr("127.0.0.1:6379")))
    features.start()
    try:
        assert features.wait_until_opened(60)
        assert "AISLE_SERVING_REDIS_URL: expected an address such as redis://" in str(features.fault)
    finally:
        features.stop()
