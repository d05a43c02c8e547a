"""Promotion and rollback: moving alias `champion`, with who, when and why written down.

A person may also move the alias in the MLflow UI. That is an approval like any other: it is noticed here, and
a rollback goes back to the champion before it.
"""

import getpass
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import ReleaseError
from pipelines.release.approval import approve
from pipelines.release.champion_history import Move, champion_before, with_move_by_hand
from pipelines.release.registry import CANDIDATE, CHAMPION, PASSED, Registry, Version
from pipelines.settings import Settings


def promote(
    settings: Settings,
    version: int,
    *,
    reason: str,
    by: str | None = None,
    override: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Make a version the champion; serving follows by itself.

    Promoting the champion again changes nothing.

    Args:
        settings: Where the registry is.
        version: Number of the version.
        reason: Why, for those who look later.
        by: Who; the user of this process if left out.
        override: Promote although the gate refused; the signed override keeps the reason.
        now: The instant to write down.

    Returns:
        `version`, `previous` (number or None), `changed`, `by`, `reason`, `at`.

    Raises:
        ReleaseError: There is no such version, no reason, or the gate refused it and `override` is not set.
    """
    registry = Registry(settings)
    chosen = registry.version(version)
    if not reason.strip():
        raise ReleaseError("expected a reason for the promotion, received none; say why in one sentence")
    if chosen.gate != PASSED and not override:
        raise ReleaseError(
            f"version {version} may not be promoted: {_verdict(chosen)}. Promote another version, "
            f"or, if a person answers for it: aisle release promote {version} --override --reason '…'"
        )
    by, now = by or _this_user(), now or datetime.now(UTC)
    if chosen.gate != PASSED:
        approve(settings, chosen, kind="override", reason=reason, by=by, now=now)
    elif "manifest_sha256" in chosen.tags:
        approve(settings, chosen, kind="approval", reason=reason, by=by, now=now)
    return _move(registry, version, "promotion", reason, by, now)


def approve_version(
    settings: Settings, version: int, *, reason: str, by: str | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Sign an approval of a version that passed the gate, and move nothing.

    Returns:
        `kind`, `version`, `manifest_sha256`, `by`, `at` and `reason` of the approval.

    Raises:
        ReleaseError: There is no such version or no reason, or the gate refused it.
    """
    chosen = Registry(settings).version(version)
    if not reason.strip():
        raise ReleaseError("expected a reason for the approval, received none; say why in one sentence")
    if chosen.gate != PASSED:
        raise ReleaseError(
            f"version {version} may not be approved: {_verdict(chosen)}. If a person answers for it: "
            f"aisle release promote {version} --override --reason '…'"
        )
    signed = approve(settings, chosen, kind="approval", reason=reason, by=by or _this_user(), now=now)
    return asdict(signed)


def rollback(
    settings: Settings, *, reason: str = "rolled back", by: str | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Make the version that was champion before the champion again.

    Rolling back twice goes two champions back, never forth to the version that was just left.

    Returns:
        As `promote`.

    Raises:
        ReleaseError: There is no champion, or none before it that serving would take.
    """
    registry = Registry(settings)
    now = now or datetime.now(UTC)
    champion = registry.alias(CHAMPION)
    if champion is None:
        raise ReleaseError(f"expected a champion of {registry.name} to roll back from, but there is none")
    moves = with_move_by_hand(registry.moves(), champion, now)
    available = [version.number for version in registry.versions() if version.may_be_promoted]
    before = champion_before(moves, available)
    if before is None:
        raise ReleaseError(
            f"expected a champion before version {champion} to go back to, but none is recorded "
            "that passed the gate and still exists; choose a version: aisle release promote N --reason '…'"
        )
    by = by or _this_user()
    earlier = registry.version(before)
    if earlier.gate == PASSED and "manifest_sha256" in earlier.tags:
        approve(settings, earlier, kind="approval", reason=reason, by=by, now=now)
    return _move(registry, before, "rollback", reason, by, now)


def auto_promote(settings: Settings, version: int) -> dict[str, Any]:
    """Leave a new version to the policy: `auto` promotes what passed the gate, `manual` waits.

    Policy `first` is `auto` while there is no champion, and `manual` from then on.

    Returns:
        `version`, `promoted`, `alias` (`champion`, `candidate` or None), `reason`, and `promoted_at` (wall
        clock) where this call promoted it.
    """
    registry = Registry(settings)
    chosen = registry.version(version)
    alias = CANDIDATE if registry.alias(CANDIDATE) == version else None
    champion = registry.at(CHAMPION)
    if champion is not None and champion.number == version:
        return _answer(version, True, CHAMPION, "it is the champion already")
    if not chosen.may_be_promoted:
        return _answer(version, False, alias, _verdict(chosen))
    policy = settings.promotion_policy
    if policy == "manual" or (policy == "first" and champion is not None):
        waits = (
            f"the policy is {policy}: a person moves alias champion in MLflow, or runs aisle release promote"
        )
        return _answer(version, False, alias, waits)
    if champion is not None and champion.is_newer_than(chosen):
        newer = f"the champion, version {champion.number}, was made from newer data or later"
        return _answer(version, False, alias, newer)
    reason = f"policy {policy}: {_verdict(chosen)}"
    moved = promote(settings, version, reason=reason, by=f"policy {policy}")
    return {**_answer(version, True, CHAMPION, reason), "promoted_at": moved["at"]}


def status(settings: Settings, now: datetime | None = None) -> dict[str, Any]:
    """Who is what, since when and why.

    Returns:
        `model`, `champion` and `candidate` (facts of the version, or None), `moves` (the recorded ones
        and, last, one by hand that nobody recorded), `versions`, newest first.
    """
    registry = Registry(settings)
    champion = registry.alias(CHAMPION)
    candidate = registry.alias(CANDIDATE)
    moves = with_move_by_hand(registry.moves(), champion, now or datetime.now(UTC))
    versions = [_facts(version) for version in registry.versions()]
    by_number = {facts["version"]: facts for facts in versions}
    told: dict[str, Any] = {"model": registry.name, "champion": None, "candidate": by_number.get(candidate)}
    if champion is not None:
        last = moves[-1]
        since = {"since": last.at.isoformat(), "how": last.kind, "by": last.by, "reason": last.reason}
        told["champion"] = {**by_number.get(champion, {"version": champion}), **since}
    told["moves"] = [move.model_dump(mode="json") for move in moves]
    told["versions"] = versions
    return told


def _move(registry: Registry, version: int, kind: Any, reason: str, by: str, now: datetime) -> dict[str, Any]:
    """Move the alias, then write it down: a crash in between leaves a move that the next look notices."""
    previous = registry.alias(CHAMPION)
    recorded = registry.moves()
    told = {"version": version, "previous": previous, "by": by, "reason": reason, "at": now.isoformat()}
    if previous == version and recorded and recorded[-1].version == version:
        return {**told, "changed": False}
    moves = with_move_by_hand(recorded, previous, now) if previous != version else recorded
    registry.move_alias(CHAMPION, version)
    registry.record((*moves, Move(version=version, kind=kind, at=now, by=by, reason=reason)))
    registry.tag(version, {"promoted_at": now.isoformat(), "promoted_by": by, "promotion_reason": reason})
    return {**told, "changed": previous != version}


def _this_user() -> str:
    """Name of the user of this process; in a container there may be none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _facts(version: Version) -> dict[str, Any]:
    tags = version.tags
    return {
        "version": version.number,
        "gate": version.gate,
        "override": version.override,
        "as_of": tags.get("as_of"),
        "ndcg_at_10": tags.get("ndcg_at_10"),
        "created_at": version.created_at.isoformat(),
    }


def _verdict(version: Version) -> str:
    return f"gate {version.gate} ({'; '.join(version.reasons) or 'no reasons recorded'})"


def _answer(version: int, promoted: bool, alias: str | None, reason: str) -> dict[str, Any]:
    return {"version": version, "promoted": promoted, "alias": alias, "reason": reason}
