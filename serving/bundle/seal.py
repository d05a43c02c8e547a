"""Sealing a bundle with an Ed25519 key, and verifying one before anything in it is read."""

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from serving.bundle.layout import MANIFEST, TEXT_INDEX, is_allowed
from serving.bundle.manifest import MAX_MANIFEST_BYTES, FileFact, Manifest, check_facts, parse
from serving.errors import BundleError


def seal(directory: Path, facts: Mapping[str, Any], private_key: Ed25519PrivateKey) -> Manifest:
    """Write and sign `manifest.json` over every file of a finished bundle; the last step of writing one.

    Args:
        directory: The bundle. An earlier manifest in it is replaced.
        facts: JSON: as_of (with offset), lake_versions, feature_services, metrics, gate {passed, reasons},
            code_revision, and whatever else a reader should know.
        private_key: The release key.

    Raises:
        BundleError: a fact is missing, or the directory holds a file that no bundle may hold.
    """
    try:
        plain = json.loads(json.dumps(dict(facts), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError(f"{MANIFEST}: expected facts that are JSON, received {error}.") from error
    check_facts(plain)
    files = {}
    for path in sorted(_paths(directory)):
        if path == MANIFEST:
            continue
        if not is_allowed(path):
            raise BundleError(f"{path}: expected only files of the bundle format; remove it before sealing.")
        files[path] = FileFact((directory / path).stat().st_size, _sha256(directory / path))
    manifest = Manifest(plain, files, key_id(private_key.public_key()))
    signature = base64.b64encode(private_key.sign(manifest.signed_bytes())).decode("ascii")
    text = json.dumps(
        {**manifest.body(), "signature": signature}, indent=2, ensure_ascii=False, allow_nan=False
    )
    unfinished = directory / f".{MANIFEST}"
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(directory / MANIFEST)
    return manifest


def verify(directory: Path, public_keys: Iterable[Ed25519PublicKey]) -> Manifest:
    """The manifest of a bundle in which signature, file list, sizes and hashes all hold.

    Only the manifest is parsed; the other files are hashed as bytes.

    Raises:
        BundleError: naming the file, what was expected and what was received.
    """
    found = set(_paths(directory))
    if MANIFEST not in found:
        raise BundleError(f"{MANIFEST}: expected a sealed bundle in {directory.name}, received no manifest.")
    if (size := (directory / MANIFEST).stat().st_size) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST}: expected at most {MAX_MANIFEST_BYTES} bytes, received {size}.")
    manifest = verify_manifest((directory / MANIFEST).read_bytes(), public_keys)
    missing, extra = sorted(set(manifest.files) - found), sorted(found - set(manifest.files) - {MANIFEST})
    if missing:
        raise BundleError(f"{missing[0]}: expected by {MANIFEST}, received no such file.")
    if extra:
        raise BundleError(f"{extra[0]}: expected only files that {MANIFEST} names, received this one too.")
    for path, fact in manifest.files.items():
        size = (directory / path).stat().st_size
        if size != fact.size:
            raise BundleError(f"{path}: expected {fact.size} bytes, received {size}.")
        digest = _sha256(directory / path)
        if digest != fact.sha256:
            raise BundleError(f"{path}: expected SHA-256 {fact.sha256}, received {digest}.")
    return manifest


def verify_manifest(content: bytes, public_keys: Iterable[Ed25519PublicKey]) -> Manifest:
    """The manifest in `content`, its signature verified; the files that it names are not looked at.

    Raises:
        BundleError: It is no manifest, or no trusted key signed it.
    """
    manifest, signature = parse(content)
    _check_signature(manifest, signature, public_keys)
    return manifest


def _check_signature(manifest: Manifest, signature: str, public_keys: Iterable[Ed25519PublicKey]) -> None:
    keys = {key_id(key): key for key in public_keys}
    key = keys.get(manifest.key_id)
    if key is None:
        raise BundleError(
            f"{MANIFEST}: expected a signature by one of the trusted keys {sorted(keys)}, received one "
            f"by {manifest.key_id!r}."
        )
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, manifest.signed_bytes())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BundleError(
            f"{MANIFEST}: expected the signature of key {manifest.key_id} over its content, received one "
            "that does not hold: the manifest was altered, or signed by another key."
        ) from error
    if base64.b64encode(raw).decode("ascii") != signature:
        # The last letter has bits that decoding ignores: one release, one manifest.
        raise BundleError(f"{MANIFEST}: expected a signature in canonical base64, received another spelling.")


def _paths(directory: Path) -> Iterator[str]:
    """Relative POSIX paths of the bundle's files, without following any link.

    Raises:
        BundleError: an entry is neither a regular file nor the text index's directory.
    """
    if not directory.is_dir():
        raise BundleError(f"{directory.name}: expected a directory with a release bundle, received none.")
    for prefix, folder in (("", directory), (f"{TEXT_INDEX}/", directory / TEXT_INDEX)):
        if prefix and not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISREG(mode):
                    yield prefix + entry.name
                elif not (stat.S_ISDIR(mode) and prefix + entry.name == TEXT_INDEX):
                    kind = "a symbolic link" if stat.S_ISLNK(mode) else "a directory or special file"
                    raise BundleError(f"{prefix}{entry.name}: expected a regular file, received {kind}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_id(public_key: Ed25519PublicKey) -> str:
    """A key's short name: the first 16 hexadecimal digits of the SHA-256 of its raw bytes."""
    return hashlib.sha256(public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def write_key_pair(private_path: Path, public_path: Path) -> Ed25519PrivateKey:
    """Generate a release key; the private file is readable by its owner only, and never overwritten.

    Raises:
        BundleError: the private file exists already.
    """
    key = Ed25519PrivateKey.generate()
    private_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BundleError(f"{private_path.name}: a key is there already; it is not overwritten.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    public_path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The release key in that PEM file.

    Raises:
        BundleError: the file is missing or holds no Ed25519 private key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path.name}: expected a private Ed25519 key (PEM), received {error}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"{path.name}: expected an Ed25519 private key, received {type(key).__name__}.")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The trusted key in that PEM file.

    Raises:
        BundleError: the file is missing or holds no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path.name}: expected a public Ed25519 key (PEM), received {error}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{path.name}: expected an Ed25519 public key, received {type(key).__name__}.")
    return key
