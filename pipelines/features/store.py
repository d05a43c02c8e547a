"""The feature store as the pipelines use it: apply, join, materialize, look up."""

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import yaml
from feast import FeatureService, FeatureStore, FeatureView, RepoConfig
from feast.errors import FeastObjectNotFoundException
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.repo_operations import extract_objects_for_apply_delete
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import FeatureError
from pipelines.features.build import last_build
from pipelines.features.declared import declarations, declared_views, source_of
from pipelines.features.offline_store import AsofOfflineStore
from pipelines.features.online_writer import prepare_sqlite, write_online
from pipelines.lake import open_lake
from pipelines.settings import Settings

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Start of a window that holds everything."""

TIMESTAMP = "event_timestamp"
"""Column of an entity frame with the instants."""


class MaterializeReport(BaseModel):
    """What was written to the online store."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    """Start of the window, inclusive."""

    end: datetime
    """End of the window, inclusive."""

    views: dict[str, int]
    """Entities that were written of each feature view."""

    rows: int
    """Entities of all views."""

    seconds: float
    """How long it took."""


def feast_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that `feature_store.yaml` names, for Feast's own commands and servers."""
    lake = settings.lake_root
    yaml_file = "feature_store.yaml"
    environment = {
        "AISLE_HOME": str(settings.home.resolve()),
        "AISLE_LAKE_URI": lake if "://" in lake else str(Path(lake).resolve()),
    }
    if settings.redis_url is not None:
        environment["AISLE_REDIS_CONNECTION"] = _redis_connection(settings.redis_url)
        yaml_file = "feature_store.redis.yaml"
    environment["FEAST_FS_YAML_FILE_PATH"] = str(settings.feature_repo.resolve() / yaml_file)
    return environment


def open_store(settings: Settings) -> FeatureStore:
    """Open Feast on the registry and stores that the settings name.

    Raises:
        FeatureError: `feature_store.yaml` cannot be read.
    """
    environment = feast_environment(settings)
    path = Path(environment["FEAST_FS_YAML_FILE_PATH"])
    try:
        content = yaml.safe_load(Template(path.read_text("utf-8")).substitute(environment))
        config = RepoConfig(**content)
    except (OSError, KeyError, TypeError, ValidationError, yaml.YAMLError) as error:
        raise FeatureError(
            f"expected Feast's configuration in {path}, received: {error}. Check AISLE_FEATURE_REPO."
        ) from error
    config.repo_path = path.parent
    return FeatureStore(config=config)


def apply(settings: Settings) -> dict[str, int]:
    """Bring Feast's registry to what `feature_repo` declares; return how many objects it has, and lost."""
    settings.home.joinpath("feast").mkdir(parents=True, exist_ok=True)
    store = open_store(settings)
    declared = declarations()
    if store.config.online_store.type == "sqlite":
        prepare_sqlite(store, [view for view in declared.feature_views if view.online])
    with _feast_talks_to_people():
        wanted, unwanted, _, _ = extract_objects_for_apply_delete(store.project, store.registry, declared)
        unwanted = [one for one in unwanted if one.name != DUMMY_ENTITY_NAME]  # Feast's own, made by itself
        store.apply(wanted, objects_to_delete=unwanted, partial=False)
    return {"applied": len(wanted), "removed": len(unwanted)}


def materialize(
    settings: Settings,
    start: datetime | None = None,
    end: datetime | None = None,
    on_view: Callable[[str, int], None] | None = None,
) -> MaterializeReport:
    """Write the newest values known in a window to the online store; doing it again changes nothing.

    Args:
        settings: Where the stores are.
        start: Start of the window, inclusive; by default the beginning of time: then late and corrected rows
            and entities without news are written as well, and those that are gone are removed.
        end: End of the window, inclusive; by default, and at the latest, the instant of the last build: a
            window that ends in the future would hide what arrives until then.
        on_view: Told the name and entities of each view when it is done.
    """
    built_at: datetime = last_build(open_lake(settings))["as_of"]
    start = EVER if start is None else start.astimezone(UTC)
    end = built_at if end is None else min(end.astimezone(UTC), built_at)
    if start > end:
        raise FeatureError(f"expected a window that begins before it ends, received {start} to {end}")
    began = time.perf_counter()
    store = open_store(settings)
    written: dict[str, int] = {}
    for view in _applied_views(store):
        rows = newest_known(store, view, start, end)
        write_online(store, view, rows, whole=start == EVER)
        store.registry.apply_materialization(view, store.project, start, end)
        written[view.name] = rows.num_rows
        if on_view is not None:
            on_view(view.name, rows.num_rows)
    return MaterializeReport(
        start=start,
        end=end,
        views=written,
        rows=sum(written.values()),
        seconds=round(time.perf_counter() - began, 3),
    )


def newest_known(store: FeatureStore, view: FeatureView, start: datetime, end: datetime) -> pa.Table:
    """Return the newest row of every entity of a view among those known in a window, both ends included."""
    source = source_of(view)
    return AsofOfflineStore.pull_latest_from_table_or_query(
        store.config,
        source,
        [column.name for column in view.entity_columns],
        [feature.name for feature in view.features],
        source.timestamp_field,
        source.created_timestamp_column or None,
        start,
        end,
    ).to_arrow()


def historical(
    settings: Settings, entity_frame: pd.DataFrame, service: str, without: Collection[str] = ()
) -> pa.Table:
    """Return the features of a service as known at the instant of each row: rows out = rows in, in order.

    Args:
        settings: Where the stores are.
        entity_frame: The service's keys (`user_id`, `item_id`) and `event_timestamp`; other columns are kept.
        service: Name of a feature service, such as `retrieval_v1`.
        without: Names of the service's feature views to leave out, such as a wide one that is not needed.

    Returns:
        The columns of the frame, then the features by their bare names.

    Raises:
        FeatureError: The service is unknown, a column is missing, or an instant lies before those for which
            features are kept.
    """
    if TIMESTAMP not in entity_frame.columns:
        raise FeatureError(f"expected a column {TIMESTAMP}, received {list(entity_frame.columns)}")
    known_from: datetime = last_build(open_lake(settings))["known_from"]
    earliest = pd.to_datetime(entity_frame[TIMESTAMP], utc=True).min()
    if earliest < known_from:
        raise FeatureError(
            f"expected instants from {known_from.isoformat()} on, for which features are kept, received "
            f"{earliest.isoformat()}: build features with more span days, or leave the earlier rows out"
        )
    store = open_store(settings)
    try:
        wanted = store.get_feature_service(service)
    except FeastObjectNotFoundException as error:
        raise FeatureError(
            f"expected an applied feature service, received {service!r}: run `aisle features apply`"
        ) from error
    features: FeatureService | list[str] = wanted
    if without:
        views = [view for view in wanted.feature_view_projections if view.name not in without]
        features = [f"{view.name}:{one.name}" for view in views for one in view.features]
    answer = store.get_historical_features(entity_df=entity_frame, features=features).to_arrow()
    if answer.num_rows != len(entity_frame):
        raise FeatureError(f"expected {len(entity_frame)} rows of {service}, received {answer.num_rows}")
    return answer


def get_online(
    settings: Settings, *, user_id: str | None = None, item_id: str | None = None
) -> dict[str, Any]:
    """Return what the online store serves for one user or one item.

    Returns:
        `entity` (the key), `found`, `features` (by view and name) and `known_at` (by view; None: no row).
    """
    if (user_id is None) == (item_id is None):
        raise FeatureError("expected a user or an item, received both or neither")
    key = {"user_id": str(user_id)} if user_id is not None else {"item_id": str(item_id)}
    views = [
        view
        for view in declared_views().values()
        if view.online and [one.name for one in view.entity_columns] == list(key)
    ]
    refs = [f"{view.name}:{one.name}" for view in views for one in view.features]
    try:
        response = open_store(settings).get_online_features(refs, [key], full_feature_names=True)
    except FeastObjectNotFoundException as error:
        raise FeatureError(f"{error}: run `aisle features apply` and `aisle features materialize`") from error
    values = {name: one[0] for name, one in response.to_dict().items()}
    results = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
    known_at = {view.name: _known_at(results[f"{view.name}__{view.features[0].name}"]) for view in views}
    return {
        "entity": key,
        "found": any(at is not None for at in known_at.values()),
        "features": {
            view.name: {one.name: values[f"{view.name}__{one.name}"] for one in view.features}
            for view in views
        },
        "known_at": known_at,
    }


def _applied_views(store: FeatureStore) -> list[FeatureView]:
    """The views that are served online, as the registry knows them."""
    views = [view for view in store.list_feature_views() if view.online]
    if not views:
        raise FeatureError("expected applied feature views, received none: run `aisle features apply`")
    return sorted(views, key=lambda view: str(view.name))


def _known_at(result: Any) -> str | None:
    if result.statuses[0] != FieldStatus.PRESENT:
        return None
    return datetime.fromtimestamp(result.event_timestamps[0].seconds, UTC).isoformat()


def _redis_connection(url: str) -> str:
    """Feast's form of a Redis address: `host:port,db=…,password=…`."""
    parts = urlsplit(url)
    options = [f"{parts.hostname}:{parts.port or 6379}", f"db={parts.path.strip('/') or 0}"]
    if parts.username:
        options.append(f"username={parts.username}")
    if parts.password:
        options.append(f"password={parts.password}")
    if parts.scheme == "rediss":
        options.append("ssl=true")
    return ",".join(options)


@contextlib.contextmanager
def _feast_talks_to_people() -> Iterator[None]:
    """Feast prints its progress: keep stdout free for the result."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
