"""Keys by which other teams call the feature server: each is shown once, and kept as its hash."""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from feature_repo.permissions import READER, WRITER
from pipelines.errors import FeatureError, WrongUsageError

TEAM_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""What a team may be called: the name shows in metrics and logs."""

ROLES = (READER, WRITER)
"""What a key may be good for."""


class TeamKey(BaseModel):
    """What is kept of one key."""

    model_config = ConfigDict(frozen=True)

    team: str
    """Who holds it."""

    role: str
    """What it is good for: one of `ROLES`."""

    sha256: str
    """Hash of the key, as hexadecimal digits; a random key of 256 bits needs no salt."""

    made_at: AwareDatetime
    """When it was made."""


_Listed = TypeAdapter(tuple[TeamKey, ...])


class TeamKeys:
    """The keys in one file, readable by its owner only.

    The file is looked at again whenever it has changed: a key that is taken away ends at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._by_hash: dict[str, TeamKey] = {}

    def add(self, team: str, role: str, now: datetime) -> str:
        """Make a key for a team and return it; it cannot be shown again. A team may have several.

        Raises:
            WrongUsageError: The name or the role cannot be right.
        """
        if not TEAM_NAME.fullmatch(team):
            raise WrongUsageError(
                "expected a team name of small letters, digits and hyphens, at most 40, beginning with a "
                f"letter, received {team!r}"
            )
        if role not in ROLES:
            raise WrongUsageError(f"expected a role among {', '.join(ROLES)}, received {role!r}")
        key = f"{team}.{secrets.token_urlsafe(32)}"
        with self._lock():
            self._write((*self.listed(), TeamKey(team=team, role=role, sha256=_hash(key), made_at=now)))
        return key

    def remove(self, team: str) -> int:
        """Take all keys of a team away; return how many there were."""
        with self._lock():
            kept = tuple(one for one in self.listed() if one.team != team)
            removed = len(self.listed()) - len(kept)
            if removed:
                self._write(kept)
        return removed

    def listed(self) -> tuple[TeamKey, ...]:
        """Every key, oldest first.

        Raises:
            FeatureError: The file is not what this class writes.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        try:
            return _Listed.validate_json(content)
        except ValidationError as error:
            raise FeatureError(
                f"expected the keys of teams in {self._path}, received something else: {error}. Restore the "
                "file, or remove it and give every team a new key by `aisle features key add`"
            ) from error

    def holder_of(self, key: str) -> TeamKey | None:
        """Whose key this is; None for a key that nobody has."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return None
        seen = (state.st_ino, state.st_mtime_ns, state.st_size)
        if seen != self._seen:
            self._by_hash = {one.sha256: one for one in self.listed()}
            self._seen = seen
        return self._by_hash.get(_hash(key))

    def _write(self, keys: tuple[TeamKey, ...]) -> None:
        part = self._path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_Listed.dump_json(keys, indent=1))
        part.replace(self._path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
