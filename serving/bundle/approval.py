"""Signed approvals: who let a release go live, when and why, bound to one version and one manifest.

Whoever reaches the registry can move its aliases and tags. So an alias is a wish, and a signature by a
release key is what makes it count.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from serving.bundle.seal import key_id
from serving.errors import BundleError

APPROVAL_TAG = "approval"
"""Tag of a registered version that holds its approval."""

LONGEST_APPROVAL = 5_000
"""Characters of an approval as text; a registry's tag holds no more."""

_PURPOSE = b"aisle release approval 1\n"
"""Stands before what is signed, so that a signature of something else can never pass for an approval."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's or a policy's word that a version may be served."""

    kind: Literal["approval", "override"]
    """`override`: although the gate refused it."""
    version: str
    """Version of the registered model."""
    manifest_sha256: str
    """SHA-256 of the bundle's manifest."""
    by: str
    at: str
    """ISO 8601, in UTC."""
    reason: str

    def signed(self, key: Ed25519PrivateKey) -> str:
        """The approval as text, with its signature."""
        signature = base64.b64encode(key.sign(self._content())).decode("ascii")
        body = {**asdict(self), "key_id": key_id(key.public_key()), "signature": signature}
        return json.dumps(body, ensure_ascii=False)

    def _content(self) -> bytes:
        body = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return _PURPOSE + body.encode("utf-8")


def read_approval(
    text: str, public_keys: Iterable[Ed25519PublicKey], version: str, manifest_sha256: str
) -> Approval:
    """The approval of that version and manifest, its signature verified.

    Raises:
        BundleError: It is none, is signed by no trusted key, or speaks of another version or manifest.
    """
    approval, signer, signature = _parsed(text, version)
    key = {key_id(key): key for key in public_keys}.get(signer)
    if key is None:
        raise BundleError(
            f"expected an approval signed by a trusted key, received one by {str(signer)[:80]!r}"
        )
    try:
        key.verify(signature, approval._content())
    except InvalidSignature as error:
        raise BundleError(f"the approval of version {version} was altered after it was signed") from error
    if (approval.version, approval.manifest_sha256) != (version, manifest_sha256):
        raise BundleError(
            f"expected an approval of version {version}, received one of version {approval.version}, "
            "or of other files"
        )
    return approval


def _parsed(text: str, version: str) -> tuple[Approval, str, bytes]:
    """Approval, id of the signing key and signature, none of them verified."""
    try:
        body = json.loads(text[: LONGEST_APPROVAL + 1])
        values = {one.name: str(body[one.name]) for one in fields(Approval)}
        signature = base64.b64decode(body["signature"], validate=True)
        return Approval(**values), str(body["key_id"]), signature  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"expected a signed approval, received something else ({error!r}); make one with "
            f"`aisle release approve {version} --reason '…'`"
        ) from error
