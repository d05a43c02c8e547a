"""Releases on this machine: each in a folder named by its content, and a note of the one served last."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.bundle import sync_folder, sync_tree

SHA256 = re.compile("[0-9a-f]{64}")
NOTE = "served.json"
KEPT = 3
"""Releases that stay: the served one, and those before it for a quick rollback."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The release that was served last."""

    version: str
    manifest_sha256: str
    approval: str | None = None
    """Its signed approval as text."""


class ReleaseCache:
    """Keeps downloaded bundles below `folder`.

    Args:
        folder: Created when missing, readable by the owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder_of(self, manifest_sha256: str) -> Path:
        """Where the bundle with that manifest lies, if it is here."""
        # The hash comes from a tag that anybody may have set: what is no hash must not become a path.
        return self._folder / (manifest_sha256 if SHA256.fullmatch(manifest_sha256) else ".nothing")

    def sha256_of(self, bundle: Path) -> str:
        """SHA-256 of the bundle's manifest: the name of its content."""
        return hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for a download; what is not kept is removed at the end."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self._folder) as folder:
            yield Path(folder)

    def keep(self, bundle: Path) -> Path:
        """Move a verified bundle to its place and return it."""
        place = self.folder_of(self.sha256_of(bundle))
        if place.is_dir():
            shutil.rmtree(place)
        sync_tree(bundle)
        bundle.rename(place)
        sync_folder(self._folder)
        return place

    def discard(self, manifest_sha256: str) -> None:
        """Remove a bundle that does not hold."""
        shutil.rmtree(self.folder_of(manifest_sha256), ignore_errors=True)

    def remember(self, version: str, manifest_sha256: str, approval: str | None) -> None:
        """Note the served release for the next start, and let go of old ones."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        served = Remembered(version, manifest_sha256, approval)
        earlier = [one for one in self.history() if one.manifest_sha256 != manifest_sha256][: KEPT - 1]
        note = json.dumps({**asdict(served), "earlier": [asdict(one) for one in earlier]})
        unfinished = self._folder / f".{NOTE}"
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / NOTE)
        sync_folder(self._folder)
        place = self.folder_of(manifest_sha256)
        if place.is_dir():
            os.utime(place)
        self._let_go_of_old_ones(place)

    def remembered(self) -> Remembered | None:
        """The release that was served last, or None if there was none or the note is unreadable."""
        return next(iter(self.history()), None)

    def history(self) -> list[Remembered]:
        """The releases served last that are still here, the newest first."""
        try:
            note = json.loads((self._folder / NOTE).read_text(encoding="utf-8"))
            entries = [
                Remembered(str(one["version"]), str(one["manifest_sha256"]), one.get("approval"))
                for one in (note, *note.get("earlier", ()))
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []
        return [one for one in entries if self.folder_of(one.manifest_sha256).is_dir()]

    def _let_go_of_old_ones(self, served: Path) -> None:
        """Remove all but the newest bundles, and downloads that a crash left behind."""
        folders = [path for path in self._folder.iterdir() if path.is_dir() and path != served]
        abandoned = [path for path in folders if path.name.startswith(".incoming-")]
        kept = sorted(
            (path for path in folders if path not in abandoned), key=lambda path: -path.stat().st_mtime
        )
        for path in [*abandoned, *kept[KEPT - 1 :]]:
            shutil.rmtree(path, ignore_errors=True)
