"""Approving a registered version with this installation's key."""

from datetime import UTC, datetime
from typing import Literal

from pipelines.errors import ReleaseError
from pipelines.release.keys import signing_key
from pipelines.release.registry import Registry, Version
from pipelines.settings import Settings
from serving.bundle import APPROVAL_TAG, Approval


def approve(
    settings: Settings,
    version: Version,
    *,
    kind: Literal["approval", "override"],
    reason: str,
    by: str,
    now: datetime | None = None,
) -> Approval:
    """Sign an approval of the version and leave it in the registry, where serving reads it.

    Raises:
        ReleaseError: The version says nothing of its manifest, or the key cannot be used.
    """
    digest = version.tags.get("manifest_sha256")
    if digest is None:
        raise ReleaseError(
            f"expected version {version.number} to name the SHA-256 of its manifest, received no such tag: "
            "it was not registered by Aisle and cannot be approved"
        )
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    approval = Approval(kind, str(version.number), digest, by, at, reason)
    Registry(settings).tag(version.number, {APPROVAL_TAG: approval.signed(signing_key(settings.keys))})
    return approval
