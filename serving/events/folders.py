"""Which folders hold event logs, so that ingest reads those too that are not in their usual place.

Each serving process that keeps its log elsewhere leaves a small file with the folder's path under the home
that it shares with the pipelines.
"""

import hashlib
from pathlib import Path

ELSEWHERE = "event-logs"
"""Folder of the home with a file for each log that is not in `events`."""


def announce_log(home: Path, folder: Path) -> None:
    """Say that serving keeps a log in `folder`; nothing where that is its usual place.

    Raises:
        OSError: The home cannot be written.
    """
    path = str(folder.resolve())
    if path == str((home / "events").resolve()):
        return
    entry = home / ELSEWHERE / f"{hashlib.sha256(path.encode()).hexdigest()[:16]}.txt"
    if not entry.exists():
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(path, encoding="utf-8")


def announced_logs(home: Path) -> list[Path]:
    """The folders of logs that are elsewhere, in the order of their paths."""
    entries = (home / ELSEWHERE).glob("*.txt")
    return sorted(Path(entry.read_text(encoding="utf-8").strip()) for entry in entries)
