"""Files that survive a power cut: their bytes and the folder that names them are on disk."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Write the folder's list of names to disk: without it a renamed or new file may be gone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Write every file below the folder to disk, and every folder's list of names."""
    for directory, _, names in os.walk(folder):
        for name in names:
            with (Path(directory) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(directory))
