"""Feast on the settings of this home: its store and its registry."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

import yaml
from feast import FeatureStore, RepoConfig
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.repo_operations import extract_objects_for_apply_delete
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.errors import FeatureError
from pipelines.features.registry.declarations import declarations
from pipelines.features.registry.feast_environment import feast_environment
from pipelines.features.registry.write_lock import registry_write_lock
from pipelines.settings import Settings


def open_store(settings: Settings) -> FeatureStore:
    """Open Feast on the registry and stores that the settings name.

    Raises:
        FeatureError: `feature_store.yaml` cannot be read.
    """
    environment = feast_environment(settings)
    path = Path(environment["FEAST_FS_YAML_FILE_PATH"])
    try:
        content = yaml.safe_load(Template(path.read_text("utf-8")).substitute(environment))
        if environment["AISLE_REGISTRY_TYPE"] == "sql":  # or each store that is opened keeps connections
            content["registry"]["sqlalchemy_config_kwargs"] = {"poolclass": NullPool}
        config = RepoConfig(**content)
    except (OSError, KeyError, TypeError, ValidationError, yaml.YAMLError) as error:
        raise FeatureError(
            f"expected Feast's configuration in {path}, received: {error}. Check AISLE_FEATURE_REPO."
        ) from error
    config.repo_path = path.parent
    store = FeatureStore(config=config)
    try:
        _ = store.registry  # opened when it is first asked for
    except SQLAlchemyError as error:
        raise FeatureError(
            f"expected a PostgreSQL database as registry, received: {error}. Check AISLE_FEAST_REGISTRY_URI"
        ) from error
    return store


def has_registry(settings: Settings) -> bool:
    """Whether anything may have been applied; a registry in a database counts as there."""
    return settings.feast_registry_uri is not None or (settings.home / "feast" / "registry.db").is_file()


def apply(settings: Settings) -> dict[str, int]:
    """Bring Feast's registry to what `feature_repo` declares; return how many objects it has, and lost."""
    declared = declarations()
    with registry_write_lock(settings), feast_talks_to_people():
        store = open_store(settings)
        wanted, unwanted, _, _ = extract_objects_for_apply_delete(store.project, store.registry, declared)
        unwanted = [one for one in unwanted if one.name != DUMMY_ENTITY_NAME]  # Feast's own, made by itself
        store.apply(wanted, objects_to_delete=unwanted, partial=False)
    return {"applied": len(wanted), "removed": len(unwanted)}


@contextlib.contextmanager
def online_store_answers(store: FeatureStore) -> Iterator[None]:
    """Say which Redis gives no answer, where the online store is one.

    Raises:
        FeatureError: Redis cannot be reached or broke off while the block ran.
    """
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        where = str(store.config.online_store.connection_string).partition(",")[0]
        raise FeatureError(
            f"expected an answer from Redis at {where}, received {type(error).__name__}: "
            f"{str(error).rstrip('.')}. Start it; if it lost its values, run `aisle features materialize`"
        ) from error


@contextlib.contextmanager
def feast_talks_to_people() -> Iterator[None]:
    """Feast prints its progress: keep stdout free for the result."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
