"""Feast's online store in Redis, held to times to live: what serving, SDK, feature server and CLI read.

Feast's own store keeps one hash for each entity, with the values of all its views. It serves what has
outlived its time to live, takes an entity that is not there for one of nulls from 1970, reads the views of
one request one after the other, and leaves a corrected value out whose instant has not changed. Here what
has expired is null with its age, who is not there is not found, and a request is one transaction.
Named by class path in `feature_store.redis.yaml`.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from feast import FeatureView
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import RepoConfig
from google.protobuf.timestamp_pb2 import Timestamp

from serving.features.online_store.response import say_what_expired
from serving.features.online_store.sqlite import Row


class RedisRowOnlineStoreConfig(RedisOnlineStoreConfig):
    """Section `online_store` of `feature_store.redis.yaml`."""

    type: Literal["serving.features.online_store.redis.RedisRowOnlineStore"] = (
        "serving.features.online_store.redis.RedisRowOnlineStore"  # type: ignore[assignment]
    )
    """Class path of the store."""

    skip_dedup: bool = True
    """Whether values are written that are not newer: a corrected one has the instant of the wrong one."""


class RedisRowOnlineStore(RedisOnlineStore):
    """One hash for each entity, with the values of all its views."""

    def __init__(self) -> None:
        self._lives: dict[str, timedelta | None] = {}
        self._reading = threading.local()

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Read in threads, by the one path below."""
        return SupportedAsyncMethods(read=False, write=False)

    def views_at(
        self,
        config: RepoConfig,
        views: Sequence[tuple[FeatureView, Sequence[str]]],
        key: EntityKey,
        now: datetime,
    ) -> list[Row]:
        """Return the row of one entity in each view, all of one generation.

        One older at `now` than its view's time to live has no values.
        """
        (encoded,) = self._generate_redis_keys_for_entities(config, [key])
        versioned = config.registry.enable_online_feature_view_versioning
        names = [compute_versioned_name(view, versioned) for view, _ in views]
        asked = [
            self._generate_hset_keys_for_features(view, list(features), name)
            for (view, features), name in zip(views, names, strict=True)
        ]
        found = self._read_hash_fields(config, [(encoded, fields) for _, fields in asked])
        return [
            self._row(values, name, wanted, now)
            for values, name, (wanted, _) in zip(found, names, asked, strict=True)
        ]

    def get_online_features(self, config: RepoConfig, *arguments: Any, **named: Any) -> OnlineResponse:
        """Answer as Feast does, from one transaction; what has expired says so."""
        self._reading.met_expired = False
        response = super().get_online_features(config, *arguments, **named)
        if self._reading.met_expired:
            say_what_expired(response.proto)
        return response

    def _generate_hset_keys_for_features(
        self,
        feature_view: FeatureView,
        requested_features: list[str] | None = None,
        fv_name_override: str | None = None,
    ) -> tuple[list[str], list[str | bytes]]:
        self._lives[fv_name_override or feature_view.name] = feature_view.ttl
        asked: tuple[list[str], list[str | bytes]] = super()._generate_hset_keys_for_features(
            feature_view, requested_features, fv_name_override
        )
        return asked

    def _read_hash_fields(self, config: RepoConfig, commands: Any) -> list[list[Any]]:
        with self._get_client(config.online_store).pipeline(transaction=True) as pipe:
            for key, fields in commands:
                pipe.hmget(key, fields)
            found: list[list[Any]] = pipe.execute()
        return found

    def _get_features_for_entity(
        self, values: Sequence[Any], feature_view: str, requested_features: list[str]
    ) -> Row:
        return self._row(values, feature_view, requested_features, datetime.now(UTC))

    def _row(self, values: Sequence[Any], view: str, names: Sequence[str], now: datetime) -> Row:
        found = dict(zip(names, values, strict=True))
        stamp = found.pop(f"_ts:{view}")
        if stamp is None:
            return None, None
        instant = Timestamp.FromString(stamp).ToDatetime(UTC)
        lives = self._lives[view]
        if lives and instant + lives < now:
            self._reading.met_expired = True
            return instant, None
        return instant, {name: Value.FromString(value or b"") for name, value in found.items()}
