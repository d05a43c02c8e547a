"""Which of several workers follows the registry, and what the others learn of it."""

import fcntl
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

logger = logging.getLogger(__name__)

LOCK = ".leader"
STATE = ".followed.json"


@dataclass(frozen=True, slots=True)
class Followed:
    """What the leader has seen and done."""

    served: dict[str, Any] | None
    """`version`, `manifest_sha256` and `approval` of the release that it serves; None where there is none."""
    refusal: dict[str, Any] | None
    """Fields of its `Refusal`, the instant in ISO 8601."""
    registry: dict[str, Any]
    """Fields of its `RegistryState`, instants in ISO 8601."""


class Leadership:
    """One worker leads as long as it lives; when it ends, the next one that asks does.

    Args:
        folder: The release cache, which the workers share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: IO[bytes] | None = None
        self._written: bytes | None = None
        self._seen: tuple[int, int] | None = None

    @property
    def is_leader(self) -> bool:
        """Whether this worker leads already."""
        return self._lock is not None

    def leads(self) -> bool:
        """Whether this worker leads, now or already before."""
        if self._lock is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self._folder / LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        return True

    def publish(self, followed: Followed) -> None:
        """Let the others know, if it is news."""
        content = json.dumps(
            {"served": followed.served, "refusal": followed.refusal, "registry": followed.registry}
        ).encode()
        if content == self._written:
            return
        unfinished = self._folder / f"{STATE}.new"
        unfinished.write_bytes(content)
        unfinished.replace(self._folder / STATE)
        self._written = content

    def news(self) -> Followed | None:
        """What the leader published since this was asked last, or None."""
        try:
            status = (self._folder / STATE).stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version == self._seen:
                return None
            found = json.loads((self._folder / STATE).read_bytes())
            self._seen = version
            return Followed(found["served"], found["refusal"], found["registry"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            logger.exception("what the worker that follows the registry noted cannot be read")
            return None

    def end(self) -> None:
        """Let another one lead."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
