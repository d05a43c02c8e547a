"""The key that signs releases, and the public keys that are trusted: make, show, rotate, revoke.

The key is made at first use, is readable by its owner only, and is never half written.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipelines.errors import ReleaseError
from serving.bundle import (
    key_id,
    load_private_key,
    load_public_key,
    revoked_key_ids,
    sync_folder,
    trusted_keys,
    write_key_pair,
)
from serving.errors import BundleError

PRIVATE_NAME = "release.key"
PUBLIC_NAME = "release.pub"
READABLE_BY_OTHERS = 0o077


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The release key of this installation, made now if there is none.

    Two first uses at once end up with one key: the file appears whole, and the first one to appear wins.

    Args:
        folder: Where `release.key` and `release.pub` lie.

    Raises:
        ReleaseError: The key cannot be read as one, or others on this machine can read it.
    """
    path = folder / PRIVATE_NAME
    if not path.exists():
        if (folder / PUBLIC_NAME).exists() and not path.exists():
            raise ReleaseError(
                f"expected the release key at {path}, received {PUBLIC_NAME} alone: the key "
                "is lost or lies elsewhere. Put it back from the backup. If it is gone for good: "
                "aisle release key rotate, which makes a new one and leaves releases signed before trusted"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as drafts:
            draft = Path(drafts) / PRIVATE_NAME
            write_key_pair(draft, Path(drafts) / PUBLIC_NAME)
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        sync_folder(folder)
    if path.stat().st_mode & READABLE_BY_OTHERS:
        raise ReleaseError(
            f"expected {path} to be readable by its owner only, received mode "
            f"{path.stat().st_mode & 0o777:o}; if nobody else can have read it: chmod 600 {path}"
        )
    try:
        key = load_private_key(path)
    except BundleError as error:
        raise ReleaseError(
            f"{error} Put the right key back, or move the file away: a new key is made then, "
            "and serving must be given its public half"
        ) from error
    if key_id(key.public_key()) in revoked_key_ids(folder):
        raise ReleaseError(
            f"expected a key that is trusted, received {key_id(key.public_key())}, which was revoked; "
            "make a new one: aisle release key rotate"
        )
    _publish(key.public_key(), folder / PUBLIC_NAME)
    return key


def rotate(folder: Path) -> str:
    """Make a new signing key and return its id; releases that the earlier one signed stay trusted.

    The earlier private half is deleted: nothing needs it any more. Works where it is lost, too.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = folder / PUBLIC_NAME
    if public.exists():
        earlier = key_id(load_public_key(public))
        if earlier in revoked_key_ids(folder):
            public.unlink()
        else:
            public.replace(folder / f"release-{earlier}.pub")
    (folder / PRIVATE_NAME).unlink(missing_ok=True)
    sync_folder(folder)
    return key_id(signing_key(folder).public_key())


def revoke(folder: Path, key: str) -> None:
    """End the trust in a public key; serving drops what it signed with its next poll.

    Raises:
        ReleaseError: No trusted key has that id, or it is the one that signs.
    """
    trusted = _trusted(folder)
    if key not in trusted:
        raise ReleaseError(
            f"expected the id of a trusted key ({', '.join(trusted) or 'none'}), received {key}"
        )
    public = folder / PUBLIC_NAME
    if public.exists() and key_id(load_public_key(public)) == key:
        raise ReleaseError(
            f"key {key} signs this installation's releases; make another one first: aisle release key rotate"
        )
    (folder / f"release-{key}.revoked").touch(mode=0o644)
    (folder / f"release-{key}.pub").unlink(missing_ok=True)
    sync_folder(folder)


def describe(folder: Path) -> list[dict[str, str]]:
    """Every key by `id` and `state`: `signs`, `trusted`, `revoked` or `lost` (its private half is gone)."""
    public = folder / PUBLIC_NAME
    current = key_id(load_public_key(public)) if public.exists() else None
    signs = "signs" if (folder / PRIVATE_NAME).exists() else "lost"
    trusted = [{"id": key, "state": signs if key == current else "trusted"} for key in _trusted(folder)]
    return [*trusted, *({"id": key, "state": "revoked"} for key in sorted(revoked_key_ids(folder)))]


def _trusted(folder: Path) -> list[str]:
    try:
        return sorted(trusted_keys([folder]))
    except BundleError:
        return []


def _publish(key: Ed25519PublicKey, path: Path) -> None:
    """Keep the public half beside the private one, as serving reads it."""
    content = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if path.exists() and path.read_bytes() == content:
        return
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).chmod(0o644)
    Path(draft).replace(path)
    sync_folder(path.parent)
