"""The last step of a release: sealed, signed, and registered as ONE version, however often asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.release.gate import Decision
from pipelines.release.keys import PRIVATE_NAME, signing_key
from pipelines.release.packaging import create_version
from pipelines.release.registry import CANDIDATE, PASSED, REFUSED, Registry
from pipelines.settings import Settings
from pipelines.tracking import code_revision
from serving.bundle import Manifest, verify
from serving.bundle.seal import seal
from serving.errors import BundleError

CONTENT_TAG = "content_sha256"
HEADLINE = "ndcg@10"
MOST_REASONS = 4_000
"""Characters of the reasons in a version's description, of which MLflow keeps 5,000; its tag has them all."""
DERIVED = ("report.", "text_index/")
"""Files that say how the release was measured, or that follow from the others but differ at each making."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a release comes from."""

    as_of: str
    """Exclusive cutoff of its data, ISO 8601 with the offset."""
    lake_versions: Mapping[str, int]
    feature_services: tuple[str, ...]
    run_id: str
    """The MLflow run that made it."""
    learned_until: str
    """Exclusive end of what its learned parts saw, ISO 8601."""
    weights_sha256: str | None = None
    """SHA-256 of the weights that a later training may start from; None where none were stored."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the evaluation and the gate said of it."""

    metrics: Mapping[str, float]
    """Means, such as `ndcg@10`."""
    ci95: Mapping[str, tuple[float, float]]
    decision: Decision


def register_release(settings: Settings, bundle: Path, origin: Origin, measured: Measured) -> dict[str, Any]:
    """Seal the bundle and register it; the same content again gives the version that is there.

    A release that the gate refused is registered too, with its reasons, but is nobody's alias.

    Returns:
        `version`, `created`, `alias` (`candidate` or None), `gate`, `reasons`, `digest`, `content_sha256`.

    Raises:
        ReleaseError: The bundle cannot be sealed, or does not verify after it was.
    """
    manifest = _sealed(settings, bundle, origin, measured)
    registry = Registry(settings)
    content = content_sha256(manifest)
    known = registry.find(CONTENT_TAG, content)
    if known is None:
        tags = _tags(bundle, manifest, content, origin, measured)
        about = _description(origin, measured)
        number = create_version(settings, bundle, run_id=origin.run_id, tags=tags, description=about)
        known = registry.version(number)
        created = True
    else:
        created = False
    candidate = registry.at(CANDIDATE)
    if known.gate == PASSED and (candidate is None or not candidate.is_newer_than(known)):
        registry.move_alias(CANDIDATE, known.number)
    return {
        "version": known.number,
        "created": created,
        "alias": CANDIDATE if registry.alias(CANDIDATE) == known.number else None,
        "gate": known.gate,
        "reasons": known.reasons,
        "digest": known.tags.get("digest"),
        CONTENT_TAG: content,
    }


def content_sha256(manifest: Manifest) -> str:
    """One hash for what a release answers with: equal for two bundles that recommend the same."""
    told = [
        f"{path} {fact.sha256}\n"
        for path, fact in sorted(manifest.files.items())
        if not path.startswith(DERIVED)
    ]
    return hashlib.sha256("".join(told).encode()).hexdigest()


def _sealed(settings: Settings, bundle: Path, origin: Origin, measured: Measured) -> Manifest:
    if not (settings.keys / PRIVATE_NAME).exists() and Registry(settings).versions():
        raise ReleaseError(
            f"expected the release key at {settings.keys / PRIVATE_NAME}, received none, though versions are "
            "registered that it signed. Put it back from the backup, or, if it is gone for good: "
            "aisle release key rotate"
        )
    key = signing_key(settings.keys)
    facts = {
        "as_of": origin.as_of,
        "lake_versions": dict(origin.lake_versions),
        "feature_services": list(origin.feature_services),
        "metrics": {
            name: {"mean": mean, "ci95": list(measured.ci95[name]) if name in measured.ci95 else None}
            for name, mean in measured.metrics.items()
        },
        "gate": {"passed": measured.decision.passed, "reasons": list(measured.decision.reasons)},
        "code_revision": code_revision(),
        "run_id": origin.run_id,
        "learned_until": origin.learned_until,
        "weights_sha256": origin.weights_sha256,
    }
    try:
        seal(bundle, facts, key)
        return verify(bundle, [key.public_key()])
    except BundleError as error:
        raise ReleaseError(f"the release in {bundle} cannot be sealed: {error}") from error


def _tags(
    bundle: Path, manifest: Manifest, content: str, origin: Origin, measured: Measured
) -> dict[str, str]:
    low_high = measured.ci95.get(HEADLINE)
    return {
        "as_of": origin.as_of,
        "learned_until": origin.learned_until,
        "gate": PASSED if measured.decision.passed else REFUSED,
        "gate_reasons": "\n".join(measured.decision.reasons),
        "ndcg_at_10": f"{measured.metrics[HEADLINE]:.4f}",
        **({"ndcg_at_10_ci95": f"{low_high[0]:.4f}-{low_high[1]:.4f}"} if low_high else {}),
        "manifest_sha256": hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest(),
        "digest": manifest.digest,
        CONTENT_TAG: content,
        "code_revision": str(manifest.facts["code_revision"]),
    }


def _description(origin: Origin, measured: Measured) -> str:
    verdict = "passed" if measured.decision.passed else "refused"
    reasons = "\n".join(f"- {reason}" for reason in measured.decision.reasons)
    reasons = reasons if len(reasons) <= MOST_REASONS else f"{reasons[:MOST_REASONS]} …"
    how = (
        "Approve it by moving alias `champion` here, or with `aisle release promote`."
        if measured.decision.passed
        else "Serving refuses it without a signed override: `aisle release promote --override`."
    )
    return (
        f"Data up to **{origin.as_of}**. ndcg@10 **{measured.metrics[HEADLINE]:.4f}**. "
        f"Gate **{verdict}**:\n\n{reasons}\n\n{how} The report with plots is in the run's artifacts."
    )
