"""The shoppers that the storefront offers to look through the eyes of."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec

from serving.sessions import RecentEvents

logger = logging.getLogger(__name__)

LARGEST_FILE = 1024 * 1024

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Shopper(msgspec.Struct, frozen=True):
    """One shopper as the storefront shows them."""

    user_id: Text
    name: Text | None = None
    note: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Shoppers:
    """The shoppers named in a file, followed by those who acted last.

    Args:
        path: JSON list of `{"user_id", "name"?, "note"?}`; may be missing, is read again when it changes.
        live: Who acted last.
    """

    def __init__(self, path: Path, live: RecentEvents) -> None:
        self._path = path
        self._live = live
        self._read_at: tuple[int, int] | None = None
        self._named: list[Shopper] = []

    def first(self, k: int) -> list[Shopper]:
        """At most `k` shoppers, those of the file first."""
        named = self._from_file()
        known = {shopper.user_id for shopper in named}
        recent = [Shopper(user_id) for user_id in self._live.recent_users(k) if user_id not in known]
        return [*named, *recent][:k]

    def _from_file(self) -> list[Shopper]:
        try:
            stat = self._path.stat()
        except OSError:
            return []
        if (stat.st_mtime_ns, stat.st_size) != self._read_at and stat.st_size <= LARGEST_FILE:
            self._read_at = (stat.st_mtime_ns, stat.st_size)
            try:
                self._named = msgspec.json.decode(self._path.read_bytes(), type=list[Shopper])
            except (OSError, msgspec.DecodeError) as error:
                logger.warning("%s is no list of shoppers: %s", self._path, error)
        return self._named
