"""The variables that `feature_store.yaml` names; without loading Feast, which takes seconds."""

from pathlib import Path

from pipelines.errors import FeatureError
from pipelines.settings import Settings
from serving.features.online_store import feast_connection


def feast_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that `feature_store.yaml` names, for Feast's own commands and servers."""
    lake = settings.lake_root
    yaml_file = "feature_store.yaml"
    environment = {
        "AISLE_HOME": str(settings.home.resolve()),
        "AISLE_LAKE_URI": lake if "://" in lake else str(Path(lake).resolve()),
        **_registry(settings),
    }
    if settings.redis_url is not None:
        environment["AISLE_REDIS_CONNECTION"] = _redis_connection(settings.redis_url.get_secret_value())
        yaml_file = "feature_store.redis.yaml"
    environment["FEAST_FS_YAML_FILE_PATH"] = str(settings.feature_repo.resolve() / yaml_file)
    return environment


def _registry(settings: Settings) -> dict[str, str]:
    """Where Feast keeps what was applied: a file of this home, or a database that several may write to."""
    if settings.feast_registry_uri is None:
        path = settings.home.resolve() / "feast" / "registry.db"
        return {"AISLE_REGISTRY_TYPE": "file", "AISLE_REGISTRY": str(path)}
    uri = settings.feast_registry_uri.get_secret_value()
    for scheme in ("postgresql://", "postgres://"):  # SQLAlchemy would take another driver for these
        if uri.startswith(scheme):
            uri = f"postgresql+psycopg://{uri.removeprefix(scheme)}"
    return {"AISLE_REGISTRY_TYPE": "sql", "AISLE_REGISTRY": uri}


def _redis_connection(url: str) -> str:
    try:
        return feast_connection(url)
    except ValueError as error:
        raise FeatureError(f"AISLE_REDIS_URL: {error}") from error
