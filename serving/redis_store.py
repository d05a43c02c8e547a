"""Feast's online store in Redis, held to times to live: what serving, SDK, feature server and CLI read.

Feast's own store keeps one hash for each entity, with the values of all its views. It serves what has
outlived its time to live, takes an entity that is not there for one of nulls from 1970, reads the views of
one request one after the other, and leaves a corrected value out whose instant has not changed. Here what
has expired is null with its age, who is not there is not found, and a request is one transaction.
Named by class path in `feature_store.redis.yaml`.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from feast import FeatureView
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import RepoConfig
from google.protobuf.timestamp_pb2 import Timestamp

from serving.online_store import Row, say_what_expired


class RedisRowOnlineStoreConfig(RedisOnlineStoreConfig):
    """Section `online_store` of `feature_store.redis.yaml`."""

    type: Literal["serving.redis_store.RedisRowOnlineStore"] = "serving.redis_store.RedisRowOnlineStore"  # type: ignore[assignment]
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

    def rows_at(
        self,
        config: RepoConfig,
        view: FeatureView,
        keys: Sequence[EntityKey],
        names: Sequence[str] | None,
        now: datetime,
    ) -> list[Row]:
        """Return a row for each key; one older at `now` than its view's time to live has no values."""
        self._reading.now = now
        try:
            rows: list[Row] = super().online_read(config, view, list(keys), list(names) if names else None)
        finally:
            self._reading.now = None
        return rows

    @contextmanager
    def snapshot(self, config: RepoConfig) -> Iterator[None]:
        """Nothing to hold: what one request of Feast's reads is one transaction anyway."""
        yield

    def get_online_features(self, config: RepoConfig, *arguments: Any, **named: Any) -> OnlineResponse:
        """Answer as Feast does, from one transaction; what has expired says so."""
        self._reading.met_expired = False
        response = super().get_online_features(config, *arguments, **named)
        if self._reading.met_expired:
            say_what_expired(response)
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
        found = dict(zip(requested_features, values, strict=True))
        stamp = found.pop(f"_ts:{feature_view}")
        if stamp is None:
            return None, None
        instant = Timestamp.FromString(stamp).ToDatetime(UTC)
        lives = self._lives[feature_view]
        if lives and instant + lives < (getattr(self._reading, "now", None) or datetime.now(UTC)):
            self._reading.met_expired = True
            return instant, None
        return instant, {name: Value.FromString(value or b"") for name, value in found.items()}
