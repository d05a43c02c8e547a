"""One writer of registry and online store at a time: Feast's registries lose what two write at once."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import FeatureError
from pipelines.settings import Settings

LIMIT_S = 900.0
"""How long to wait for another writer: longer than any of them takes."""

LOCK_NAME = "aisle feature registry"
"""Name of the lock in a database."""

PAUSE_S = 0.1
"""Between two looks whether the other writer has ended."""


@contextmanager
def registry_write_lock(settings: Settings, limit_s: float = LIMIT_S) -> Iterator[None]:
    """Keep other writers of this home out while the block runs; the system lets go when a process dies.

    Raises:
        FeatureError: Another writer held on beyond the limit.
    """
    folder = settings.home / "feast"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "writer.lock"
    deadline = time.monotonic() + limit_s
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise FeatureError(
                        f"expected to write to the feature store within {limit_s:g} s, but another process "
                        f"holds {path}: wait for `aisle features apply` or `materialize` to end, or end it"
                    ) from None
            time.sleep(PAUSE_S)
        with _one_writer_of_database(settings, limit_s):
            yield


@contextmanager
def _one_writer_of_database(settings: Settings, limit_s: float) -> Iterator[None]:
    """Keep writers of other machines out as well, where the registry is a database they share."""
    if settings.feast_registry_uri is None:
        yield
        return
    import psycopg

    uri = settings.feast_registry_uri.get_secret_value().replace("+psycopg", "", 1)
    try:
        with psycopg.connect(uri, autocommit=True, connect_timeout=10) as connection:
            connection.execute(f"SET lock_timeout = {int(limit_s * 1000)}")
            connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [LOCK_NAME])
            yield  # the database lets go when the connection ends
    except psycopg.errors.LockNotAvailable:
        raise FeatureError(
            f"expected to write to the registry within {limit_s:g} s, but another machine holds it: wait for "
            "its `aisle features apply` or `materialize` to end, or end it"
        ) from None
    except psycopg.OperationalError as error:
        raise FeatureError(
            f"expected a PostgreSQL database as registry, received: {error}. Check AISLE_FEAST_REGISTRY_URI"
        ) from error
