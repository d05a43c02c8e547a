"""The public keys that are trusted now: every file named, and every `release*.pub` of a folder.

A key is trusted until its file is removed, or until a file `release-<key id>.revoked` lies in the folder.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from serving.bundle.seal import key_id, load_public_key
from serving.errors import BundleError

PUBLIC_KEYS = "release*.pub"
REVOKED_KEYS = "release-*.revoked"


def key_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that may hold a trusted key, those of a folder by name."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob(PUBLIC_KEYS))
        else:
            yield path


def revoked_key_ids(folder: Path) -> set[str]:
    """Ids of the keys that were revoked in this folder."""
    return {path.stem.removeprefix("release-") for path in folder.glob(REVOKED_KEYS)}


def trusted_keys(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Public keys by id. A file that cannot be read as a key does not stand in the way of the others.

    Raises:
        BundleError: No file holds a key that is trusted.
    """
    keys: dict[str, Ed25519PublicKey] = {}
    reasons: list[str] = []
    for path in key_files(places := tuple(paths)):
        try:
            key = load_public_key(path)
        except BundleError as error:
            reasons.append(str(error))
            continue
        if key_id(key) in revoked_key_ids(path.parent):
            reasons.append(f"{path.name}: key {key_id(key)} is revoked.")
            continue
        keys[key_id(key)] = key
    if not keys:
        where = ", ".join(str(path) for path in places)
        raise BundleError(
            f"expected a trusted public key in {where}, received none. {' '.join(reasons)}".strip()
        )
    return keys


def state_of_keys(paths: Iterable[Path]) -> tuple[tuple[str, int | None], ...]:
    """Changes whenever a trusted key may have been added, replaced, removed or revoked."""
    places = tuple(paths)
    folders = sorted({path if path.is_dir() else path.parent for path in places})
    files = [*key_files(places), *(one for folder in folders for one in sorted(folder.glob(REVOKED_KEYS)))]
    return tuple((str(path), path.stat().st_mtime_ns if path.is_file() else None) for path in files)
