"""The door to Feast: what the online store knows of a user, and how far it can be trusted."""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookupTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from serving.credentials import without_credentials
from serving.errors import FeatureLookupError
from serving.features.fast_import import typeguard_disabled
from serving.features.online_store import feast_connection
from serving.settings import ServingSettings

logger = logging.getLogger(__name__)

SERVICE = "retrieval_v1"
"""Feature service whose views describe a user."""

ONLINE_STORE = "serving.features.online_store.sqlite.SqliteRowOnlineStore"
"""Class path of the online store, as in `feature_store.yaml`."""

REDIS_STORE = "serving.features.online_store.redis.RedisRowOnlineStore"
"""Class path of the online store, as in `feature_store.redis.yaml`."""

REFRESH_S = 60.0
"""Seconds after which the declarations are read again."""

REST_S = 5.0
"""Seconds without look-ups after one failed, so that a dead store costs requests nothing."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user's features by name; what is unknown is missing."""

    values: Mapping[str, Any] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    """Which parts could not be had: `user_features`, or `user_features_stale` past their time to live."""


@dataclass(frozen=True, slots=True)
class _View:
    view: Any
    features: list[str]


@dataclass(frozen=True)
class _Store:
    """An opened feature store and the views of the service."""

    store: Any
    views: tuple[_View, ...]
    opened_at: datetime


class UserFeatures:
    """Looks users up in Feast's online store, from threads of its own.

    Feast takes seconds to import, so that happens in the background once `start` is called; until then, and
    while the store is out of reach, rows are empty and say so.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._store: _Store | None = None
        self._fault: str | None = "the feature store is still being opened"
        self._resting_until = datetime.min.replace(tzinfo=UTC)
        self._stopping = threading.Event()
        self._opened = threading.Event()
        # One thread: the SQLite store holds one connection, and a look-up takes well below a millisecond.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="user-features")
        self._opener = threading.Thread(target=self._keep_open, name="feast", daemon=True)

    @property
    def fault(self) -> str | None:
        """Why users cannot be looked up just now, or None."""
        return self._fault

    def start(self) -> None:
        """Open the store in the background."""
        self._opener.start()

    def wait_until_opened(self, limit_s: float) -> bool:
        """Wait for the first attempt to open the store; whether it ended in time."""
        return self._opened.wait(limit_s)

    def stop(self) -> None:
        """Let the store go."""
        self._stopping.set()
        self._reader.shutdown(wait=False, cancel_futures=True)

    def look_up(self, user_id: str, now: datetime) -> "Future[UserRow]":
        """Start looking a user up; see `row_of` for how long to wait."""
        if self._store is None or datetime.now(UTC) < self._resting_until:
            ready: Future[UserRow] = Future()
            ready.set_result(UserRow(degraded=("user_features",)))
            return ready
        return self._reader.submit(self._read, user_id, now)

    def row_of(self, user_id: str, now: datetime) -> UserRow:
        """The user's row, or an empty one that says so when it cannot be had in time."""
        looking = self.look_up(user_id, now)
        try:
            return looking.result(self._settings.features_timeout_s)
        except LookupTimeoutError:
            looking.cancel()
            self._rest(f"the online store did not answer within {self._settings.features_timeout_s} s")
        except Exception as error:
            # Each store brings its own exceptions; none of them may cost a shopper the list.
            self._rest(f"{type(error).__name__}: {error}")
        return UserRow(degraded=("user_features",))

    def _read(self, user_id: str, now: datetime) -> UserRow:
        store = self._store
        if store is None:
            return UserRow(degraded=("user_features",))
        key = _entity_key(user_id)
        values: dict[str, Any] = {}
        stale = False
        for at, row in store.store.read(store.views, key, now):
            if row is not None:
                values.update((name, _plain(value)) for name, value in row.items())
            elif at is not None:  # past its time to live
                stale = True
        self._fault = None
        return UserRow(values, ("user_features_stale",) if stale else ())

    def _rest(self, fault: str) -> None:
        if self._fault != fault:
            logger.warning("users are served without their features: %s", fault)
        self._fault = fault
        self._resting_until = datetime.now(UTC) + timedelta(seconds=REST_S)

    def _keep_open(self) -> None:
        while not self._stopping.is_set():
            try:
                self._store = _open(self._settings)
                self._fault = None
                wait = REFRESH_S
            except FeatureLookupError as error:
                if self._store is None:
                    if self._fault != str(error):
                        logger.warning("%s", error)
                    self._fault = str(error)
                wait = REST_S
            self._opened.set()
            self._stopping.wait(wait)


@dataclass(frozen=True, slots=True)
class _OnlineReader:
    """Reads single rows of views, below Feast's own request handling (which costs several times as much)."""

    config: Any
    online_store: Any

    def read(self, views: "tuple[_View, ...]", key: Any, now: datetime) -> list[tuple[Any, Any]]:
        """Instant and values of one entity in each view, all of one generation."""
        asked = [(one.view, one.features) for one in views]
        rows: list[tuple[Any, Any]] = self.online_store.views_at(self.config, asked, key, now)
        return rows


def _open(settings: ServingSettings) -> _Store:
    """Open the store as the settings say.

    Raises:
        FeatureLookupError: The registry is missing, unreadable or does not hold the service.
    """
    given = settings.feast_registry
    registry = given.get_secret_value() if given else str(settings.home / "feast" / "registry.db")
    online_store = _online_store(settings)
    with typeguard_disabled():
        from feast import FeatureStore, RepoConfig

    try:
        store = FeatureStore(
            config=RepoConfig(
                project=settings.feast_project,
                provider="local",
                registry={"path": registry},
                online_store=online_store,
                offline_store={"type": "file"},
                entity_key_serialization_version=3,
            )
        )
        service = store.get_feature_service(SERVICE)
        views = tuple(
            _View(
                store.get_feature_view(projection.name),
                [feature.name for feature in projection.features],
            )
            for projection in service.feature_view_projections
        )
        provider: Any = store._get_provider()
        reader = _OnlineReader(store.config, provider.online_store)
    except Exception as error:
        # Feast's registries and stores each bring their own exceptions.
        raise FeatureLookupError(
            without_credentials(
                f"Feast: expected feature service {SERVICE!r} of project {settings.feast_project!r} in the "
                f"registry {registry}, received {type(error).__name__}: {error}. Run `aisle features apply`, "
                "or correct AISLE_SERVING_FEAST_REGISTRY; lists are made without users' features meanwhile."
            )
        ) from error
    return _Store(reader, views, datetime.now(UTC))


def _online_store(settings: ServingSettings) -> dict[str, str]:
    """Section `online_store` of Feast's configuration."""
    if settings.redis_url is not None:
        try:
            address = feast_connection(settings.redis_url.get_secret_value())
        except ValueError as error:
            raise FeatureLookupError(f"Feast: AISLE_SERVING_REDIS_URL: {error}") from error
        return {"type": REDIS_STORE, "connection_string": address}
    path = settings.online_store or settings.home / "feast" / "online.db"
    if not path.is_file():
        raise FeatureLookupError(
            f"Feast: expected an online store at {path}, received none. Run `aisle features apply` and "
            "`aisle features materialize`, or correct AISLE_SERVING_ONLINE_STORE; lists are made without "
            "users' features meanwhile."
        )
    return {"type": ONLINE_STORE, "path": str(path.resolve())}


def _entity_key(user_id: str) -> Any:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user_id)])


def _plain(value: Any) -> Any:
    """A Feast value as Python's own: a number, a text, a list, or None."""
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    content = getattr(value, kind)
    return list(content.val) if kind.endswith("_list_val") else content
