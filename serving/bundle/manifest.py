"""`manifest.json`: every file's size and hash, the facts of the release, and the signature over both."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from serving.bundle.layout import MANIFEST, is_allowed
from serving.errors import BundleError

FORMAT = 1
"""Version of the bundle's format; a reader refuses every other one."""
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
REQUIRED_FACTS = ("as_of", "code_revision", "feature_services", "gate", "lake_versions", "metrics")
_DOMAIN = b"aisle release bundle, format 1\n"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileFact:
    """What a file must be: its length in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release's facts and files, as signed."""

    facts: Mapping[str, Any]
    """as_of, lake_versions, feature_services, metrics, gate, code_revision, and what the release adds."""
    files: Mapping[str, FileFact]
    """By relative POSIX path."""
    key_id: str
    """Which key signed it."""
    format: int = FORMAT

    @property
    def as_of(self) -> datetime:
        """The exclusive cutoff of the release's data, UTC."""
        return datetime.fromisoformat(self.facts["as_of"]).astimezone(UTC)

    @property
    def gate_passed(self) -> bool:
        """Whether the gate let this release through."""
        return self.facts["gate"].get("passed") is True

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed: names this very release."""
        return hashlib.sha256(self.signed_bytes()).hexdigest()

    def body(self) -> dict[str, Any]:
        """The manifest as JSON, without its signature."""
        return {
            "format": self.format,
            "key_id": self.key_id,
            "facts": dict(self.facts),
            "files": {path: {"size": fact.size, "sha256": fact.sha256} for path, fact in self.files.items()},
        }

    def signed_bytes(self) -> bytes:
        """The canonical form that is signed: sorted keys, no blanks, UTF-8."""
        text = json.dumps(
            self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return _DOMAIN + text.encode("utf-8")


def check_facts(facts: Mapping[str, Any]) -> None:
    """Refuse facts that do not tell a reader where the release comes from.

    Raises:
        BundleError: a required fact is missing or of the wrong kind.
    """
    missing = [name for name in REQUIRED_FACTS if name not in facts]
    if missing:
        raise BundleError(f"{MANIFEST}: expected the facts {REQUIRED_FACTS}, received none called {missing}.")
    gate = facts["gate"]
    if not isinstance(gate, Mapping) or not isinstance(gate.get("passed"), bool):
        raise BundleError(
            f'{MANIFEST}: expected the fact gate to be {{"passed": true | false, …}}, received {gate!r}.'
        )
    try:
        as_of = datetime.fromisoformat(facts["as_of"])
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{MANIFEST}: expected as_of as an ISO 8601 instant, received {facts['as_of']!r}."
        ) from error
    if as_of.tzinfo is None:
        raise BundleError(
            f"{MANIFEST}: expected as_of with its offset from UTC, received {facts['as_of']!r}."
        )


def parse(content: bytes) -> tuple[Manifest, str]:
    """The manifest and its base64 signature; nothing of it is trusted yet.

    Raises:
        BundleError: the content is not a manifest of this format.
    """
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST}: expected a JSON document, received {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        received = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise BundleError(f"{MANIFEST}: expected bundle format {FORMAT}, received {received!r}.")
    wanted = {"format": int, "key_id": str, "facts": dict, "files": dict, "signature": str}
    for name, kind in wanted.items():
        if type(document.get(name)) is not kind:
            raise BundleError(
                f"{MANIFEST}: expected {name} of type {kind.__name__}, received "
                f"{type(document.get(name)).__name__}."
            )
    if set(document) != set(wanted):
        raise BundleError(f"{MANIFEST}: expected only {sorted(wanted)}, received {sorted(document)}.")
    check_facts(document["facts"])
    files = {path: _file_fact(path, fact) for path, fact in document["files"].items()}
    manifest = Manifest(document["facts"], files, document["key_id"])
    return manifest, document["signature"]


def _file_fact(path: str, fact: Any) -> FileFact:
    """A file's entry, refused where its path could lead out of the bundle or is of no known kind."""
    pure = PurePosixPath(path)
    escapes = pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or str(pure) != path
    if escapes or not is_allowed(path):
        raise BundleError(f"{path!r}: expected a file of the bundle format, received a path that is none.")
    if not isinstance(fact, dict) or set(fact) != {"size", "sha256"}:
        raise BundleError(f"{path}: expected size and sha256 in {MANIFEST}, received {fact!r}.")
    size, digest = fact["size"], fact["sha256"]
    if type(size) is not int or size < 0 or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise BundleError(f"{path}: expected a size in bytes and a SHA-256, received {fact!r}.")
    return FileFact(size, digest)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object that names a key twice")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the number {name}, which JSON does not have")
