"""What a demo folder remembers between two starts: which shop it is, and where its clock stood."""

import contextlib
import shutil
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipelines.runtime import read_instant
from serving.events import read_events

KEPT_WHEN_CLEARED = frozenset({"stack.lock", "logs"})


class Finished(BaseModel):
    """Facts of a demo that reached its shoppers."""

    model_config = ConfigDict(frozen=True)

    source: str
    as_of: AwareDatetime
    version: str

    def write(self, home: Path) -> None:
        """Remember it in the folder."""
        (home / "demo.json").write_text(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, home: Path) -> "Finished | None":
        """What the folder remembers; None where no demo reached its shoppers."""
        file = home / "demo.json"
        return cls.model_validate_json(file.read_text()) if file.exists() else None


def clear(home: Path) -> None:
    """Remove what an unfinished demo left in its folder, except its logs."""
    for entry in home.iterdir() if home.exists() else ():
        if entry.name in KEPT_WHEN_CLEARED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def shop_clock(as_of: datetime, event_log: Path) -> datetime:
    """Where the shop's clock goes on: at `as_of`, or after the newest event that shoppers have left since."""
    newest = as_of
    for event in read_events(event_log):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            newest = max(newest, read_instant(event["event_at"]))
    return newest
