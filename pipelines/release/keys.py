"""The key that signs releases: made at first use, readable by its owner only, never half written."""

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipelines.errors import ReleaseError
from serving.bundle import load_private_key, write_key_pair
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
                "is lost or lies elsewhere. Put it back from the backup. If it is gone for good, give "
                f"{PUBLIC_NAME} another name and list both files in AISLE_SERVING_PUBLIC_KEYS, so that "
                "releases signed before are still served; the next release makes a new key"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as drafts:
            draft = Path(drafts) / PRIVATE_NAME
            write_key_pair(draft, Path(drafts) / PUBLIC_NAME)
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
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
    _publish(key.public_key(), folder / PUBLIC_NAME)
    return key


def _publish(key: Ed25519PublicKey, path: Path) -> None:
    """Keep the public half beside the private one, as serving reads it."""
    content = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if path.exists() and path.read_bytes() == content:
        return
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).chmod(0o644)
    Path(draft).replace(path)
