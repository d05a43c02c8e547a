"""One writer of registry and online store at a time: Feast's registries lose what two write at once."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import FeatureError
from pipelines.settings import Settings

LIMIT_S = 900.0
"""How long to wait for another writer: longer than any of them takes."""

PAUSE_S = 0.1
"""Between two looks whether the other writer has ended."""


@contextmanager
def one_writer(settings: Settings, limit_s: float = LIMIT_S) -> Iterator[None]:
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
        yield
