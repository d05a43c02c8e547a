"""Which release is served: follows the champion, refuses what does not hold, keeps the last good one."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.bundle import (
    APPROVAL_TAG,
    Approval,
    Bundle,
    Manifest,
    read_approval,
    state_of_keys,
    trusted_keys,
    verify,
    verify_manifest,
)
from serving.engine import Recommender
from serving.engine.intent import IntentModel
from serving.errors import BundleError, RegistryError, ReleaseRefusedError
from serving.releases.backoff import Backoff
from serving.releases.cache import ReleaseCache, Remembered
from serving.releases.leadership import Followed, Leadership
from serving.releases.registry import ChampionVersion, Registry
from serving.search import SearchEngine
from serving.search.category_tree import category_tree

logger = logging.getLogger(__name__)

FOLLOW_S = 0.1
"""Seconds between two looks at what the worker serves that follows the registry."""


@dataclass(frozen=True, eq=False)
class Release:
    """One approved release, open and warm. Requests that hold it finish on it, whatever is served next."""

    version: str
    manifest_sha256: str
    manifest: Manifest
    bundle: Bundle
    recommender: Recommender
    search: SearchEngine
    activated_at: datetime
    categories: Sequence[Mapping[str, Any]] = ()
    """The catalogue's departments and categories."""
    intent: IntentModel | None = None
    """What estimates a session's intent; None where the shop's events did not allow to learn it."""
    approval: Approval | None = None
    """Who let it go live, when and why; None where nobody signed one."""
    approval_text: str | None = None
    """The same as the registry holds it, to be judged again at the next start."""

    @property
    def missing_parts(self) -> list[str]:
        """Which of its models the release came without."""
        parts = {"query_encoder": self.bundle.query_encoder_path, "ranker": self.bundle.ranker_path}
        return [name for name, path in parts.items() if path is None]


@dataclass(frozen=True)
class Refusal:
    """A champion that is not served, and why."""

    version: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class RegistryState:
    """What the last look at the registry showed."""

    reachable: bool = False
    champion_version: str | None = None
    checked_at: datetime | None = None
    error: str | None = None
    download_failures: int = 0
    """How often the champion's download failed in a row."""
    next_download_at: datetime | None = None
    """When it is tried again; None where none failed."""


@dataclass(frozen=True)
class ReleaseObserver:
    """Who is told what happens to releases."""

    swapped: Callable[[Release], None]
    refused: Callable[[Refusal | None], None]
    """None once nothing is refused any more."""
    looked: Callable[[RegistryState], None]


class Releases:
    """Holds the served release and replaces it as a whole.

    Args:
        registry: Where the champion is named.
        cache: Where releases lie on this machine.
        public_keys: Files with the keys of which one must have signed a release, or folders of them; a key
            that is removed or revoked there ends the service of what it signed with the next poll.
        listeners: Who is told what happens.
        require_approval: Whether a champion needs a signed approval, or alias `champion` is enough. A
            release that the gate refused always needs a signed override.
        leadership: Among workers that share the cache: one of them follows the registry, fetches and
            verifies, and the others open what it serves. None for a process of its own.
    """

    def __init__(
        self,
        registry: Registry,
        cache: ReleaseCache,
        public_keys: Sequence[Path],
        listeners: ReleaseObserver,
        *,
        require_approval: bool = False,
        leadership: Leadership | None = None,
    ) -> None:
        self._leadership = leadership
        self._require_approval = require_approval
        self._registry = registry
        self._cache = cache
        self._public_keys = public_keys
        self._listeners = listeners
        self._refused_state: object = None
        self._keys_state: object = None
        self._backoff = Backoff()
        self._stopping = threading.Event()
        self._follower: threading.Thread | None = None
        self.current: Release | None = None
        self.refusal: Refusal | None = None
        self.registry_state = RegistryState()

    def restore(self) -> None:
        """Serve the last good release from this machine, if it still holds."""
        remembered = self._cache.remembered()
        if remembered is None:
            return
        try:
            self._serve(self._reopened(remembered))
        except ReleaseRefusedError as error:
            refused = ChampionVersion(remembered.version)
            self._serve_earlier(remembered.manifest_sha256)
            self._refuse(refused, str(error), state=None)

    def follow(self, poll_seconds: float) -> None:
        """Look at the registry every `poll_seconds` from a thread of its own, until `stop`."""

        def poll_forever() -> None:
            while not self._stopping.is_set():
                leads = self._leadership is None
                try:
                    leads = leads or (self._leadership is not None and self._leadership.leads())
                    self.poll_once() if leads else self._follow_leader()
                except Exception:
                    # The follower must outlive whatever a look ran into; the next one may succeed.
                    logger.exception("a look at the registry failed")
                self._publish()
                self._stopping.wait(poll_seconds if leads else min(poll_seconds, FOLLOW_S))

        self._follower = threading.Thread(target=poll_forever, name="releases", daemon=True)
        self._follower.start()

    def stop(self, limit_s: float = 2.0) -> None:
        """End following; a download under way is given up."""
        self._stopping.set()
        if self._follower is not None:
            self._follower.join(limit_s)
        if self._leadership is not None:
            self._leadership.end()

    def poll_once(self) -> None:
        """Look at the registry once and serve its champion if it holds."""
        self._verify_again_if_keys_changed()
        try:
            champion = self._registry.champion()
        except RegistryError as error:
            self._note(champion_version=self.registry_state.champion_version, error=str(error))
            return
        waits = champion is not None and self._backoff.waits_for(self._state_of(champion))
        self._note(
            champion_version=champion.version if champion else None,
            error=self._backoff.reason if waits else None,
        )
        if champion is None:
            return
        if self._is_served(champion):
            self._refuse_nothing()
            return
        state = self._state_of(champion)
        if self.refusal is not None and state == self._refused_state:
            return
        if waits:
            return
        try:
            self._serve(self._fetch(champion))
        except RegistryError as error:
            self._backoff.failed(state, str(error))
            self._note(champion_version=champion.version, error=str(error))
        except ReleaseRefusedError as error:
            self._refuse(champion, str(error), state)

    def _publish(self) -> None:
        """Let the other workers know, if this one leads."""
        if self._leadership is None or not self._leadership.is_leader:
            return
        current, refusal, state = self.current, self.refusal, self.registry_state
        served = None
        if current is not None:
            served = asdict(Remembered(current.version, current.manifest_sha256, current.approval_text))
        try:
            self._leadership.publish(
                Followed(
                    served,
                    None if refusal is None else asdict(refusal) | {"at": refusal.at.isoformat()},
                    asdict(state)
                    | {
                        name: None if at is None else at.isoformat()
                        for name, at in (
                            ("checked_at", state.checked_at),
                            ("next_download_at", state.next_download_at),
                        )
                    },
                )
            )
        except OSError:
            logger.exception("the other workers cannot be told what is served")

    def _follow_leader(self) -> None:
        """Serve what the worker serves that follows the registry; it has fetched and verified it."""
        news = self._leadership.news() if self._leadership is not None else None
        if news is None:
            return
        registry = dict(news.registry)
        for name in ("checked_at", "next_download_at"):
            registry[name] = None if registry[name] is None else datetime.fromisoformat(registry[name])
        self.registry_state = RegistryState(**registry)
        self._listeners.looked(self.registry_state)
        if news.served is None:
            self.current = None
        else:
            served, current = Remembered(**news.served), self.current
            if current is None or (current.version, current.manifest_sha256, current.approval_text) != (
                served.version,
                served.manifest_sha256,
                served.approval,
            ):
                self._take_over(self._reopened(served, verified=True))
        if news.refusal is not None:
            refusal = Refusal(**{**news.refusal, "at": datetime.fromisoformat(news.refusal["at"])})
            if refusal != self.refusal:
                self.refusal = refusal
                self._listeners.refused(refusal)
        else:
            self._refuse_nothing()

    def _verify_again_if_keys_changed(self) -> None:
        """Stop serving a release that no key signed which is trusted now; serve the last one that holds."""
        state = state_of_keys(self._public_keys)
        current = self.current
        if current is None or state == self._keys_state:
            return
        try:
            trusted_keys(self._public_keys)
        except BundleError as error:
            # A folder that is empty or gone for a moment is no revocation.
            logger.warning("%s The served release stays.", error)
            return
        self._keys_state = state
        champion = ChampionVersion(
            current.version,
            {"manifest_sha256": current.manifest_sha256, APPROVAL_TAG: current.approval_text or ""},
        )
        try:
            manifest = self._verify(champion, current.bundle.directory)
            self._approval(champion, manifest, current.manifest_sha256)
        except ReleaseRefusedError as error:
            self.current = None
            self._serve_earlier(current.manifest_sha256)
            self._refuse(champion, str(error), self._state_of(champion))

    def _serve_earlier(self, but: str) -> None:
        """Serve the last release on this machine that holds, if one does, and is not the one named."""
        for remembered in self._cache.history():
            if remembered.manifest_sha256 == but:
                continue
            try:
                self._serve(self._reopened(remembered))
            except ReleaseRefusedError as error:
                logger.warning("version %s on this machine does not hold: %s", remembered.version, error)
            else:
                return

    def _reopened(self, remembered: Remembered, *, verified: bool = False) -> Release:
        """A release that lies on this machine, verified and opened.

        Args:
            remembered: Which one.
            verified: Another worker has compared the files' hashes just now; the signature is checked anyway.

        Raises:
            ReleaseRefusedError: It does not hold, or cannot answer.
        """
        champion = ChampionVersion(
            remembered.version,
            {"manifest_sha256": remembered.manifest_sha256, APPROVAL_TAG: remembered.approval or ""},
        )
        return self._admit(champion, self._cache.folder_of(remembered.manifest_sha256), verified=verified)

    def _fetch(self, champion: ChampionVersion) -> Release:
        """The champion's release, from this machine if it lies here, else downloaded."""
        known = champion.manifest_sha256
        if known is not None and self._cache.folder_of(known).is_dir():
            try:
                return self._admit(champion, self._cache.folder_of(known))
            except ReleaseRefusedError as error:
                logger.warning("the copy on this machine does not hold and is fetched again: %s", error)
                self._cache.discard(known)
        logger.info("fetching version %s", champion.version)
        try:
            with self._cache.incoming() as folder:
                bundle = self._registry.download(champion, folder)
                manifest = self._verify(champion, bundle)
                self._approval(champion, manifest, self._cache.sha256_of(bundle))
                kept = self._cache.keep(bundle)
        except OSError as error:
            raise RegistryError(
                f"Version {champion.version} could not be stored on this machine: {error}. Make room or set "
                "AISLE_SERVING_CACHE to another folder; serving tries again with the next poll."
            ) from error
        return self._admit(champion, kept)

    def _verify(self, champion: ChampionVersion, folder: Path) -> Manifest:
        """The manifest of a bundle that may be served.

        Raises:
            ReleaseRefusedError: Signature, hashes, registration or gate verdict do not hold.
        """
        try:
            manifest = verify(folder, trusted_keys(self._public_keys).values())
        except (BundleError, OSError) as error:
            raise ReleaseRefusedError(str(error)) from error
        registered, received = champion.manifest_sha256, self._cache.sha256_of(folder)
        if registered is not None and registered != received:
            raise ReleaseRefusedError(
                f"manifest.json: expected the registered SHA-256 {registered}, received {received}: the "
                "files of this version are not those that were registered. Register the release again."
            )
        return manifest

    def _signed_manifest(self, folder: Path) -> Manifest:
        """The manifest alone, whose signature holds.

        Raises:
            ReleaseRefusedError: It does not.
        """
        try:
            return verify_manifest(
                (folder / "manifest.json").read_bytes(), trusted_keys(self._public_keys).values()
            )
        except (BundleError, OSError) as error:
            raise ReleaseRefusedError(str(error)) from error

    def _approval(self, champion: ChampionVersion, manifest: Manifest, sha256: str) -> Approval | None:
        """Who let the release go live; None where nobody signed and nobody has to.

        Raises:
            ReleaseRefusedError: It needs a signature that it does not have, or has one that does not hold.
        """
        needs_override = not manifest.gate_passed
        approval = None
        if champion.approval is not None:
            try:
                keys = trusted_keys(self._public_keys).values()
                approval = read_approval(champion.approval, keys, champion.version, sha256)
            except (BundleError, OSError) as error:
                if needs_override or self._require_approval:
                    raise ReleaseRefusedError(str(error)) from error
                logger.warning("the approval of version %s does not hold: %s", champion.version, error)
        if needs_override and (approval is None or approval.kind != "override"):
            reasons = (
                "; ".join(str(reason) for reason in manifest.facts["gate"].get("reasons", ())) or "none given"
            )
            raise ReleaseRefusedError(
                f"expected a release that passed the gate, received one that did not ({reasons}). Promote "
                "another version, or, if a person answers for it, sign an override: aisle release promote "
                f"{champion.version} --override --reason '…'"
            )
        if self._require_approval and approval is None:
            raise ReleaseRefusedError(
                f"expected a signed approval of version {champion.version}, received none: an alias alone is "
                f"a wish. Sign it: aisle release approve {champion.version} --reason '…'"
            )
        return approval

    def _admit(self, champion: ChampionVersion, folder: Path, *, verified: bool = False) -> Release:
        """The verified release, opened and warm.

        Raises:
            ReleaseRefusedError: It does not hold, or cannot answer.
        """
        self._keys_state = state_of_keys(self._public_keys)
        manifest = self._signed_manifest(folder) if verified else self._verify(champion, folder)
        approval = self._approval(champion, manifest, self._cache.sha256_of(folder))
        try:
            bundle = Bundle.open(folder)
            recommender = Recommender(bundle)
            search = SearchEngine(bundle, recommender)
            intent = IntentModel(bundle) if bundle.intent_path else None
            recommender.warm_up()
        except Exception as error:
            # Whatever its parts run into: a release that cannot answer once is not served.
            raise ReleaseRefusedError(
                f"expected a release that answers, received {type(error).__name__} while warming up: {error}"
            ) from error
        return Release(
            version=champion.version,
            manifest_sha256=self._cache.sha256_of(folder),
            manifest=manifest,
            bundle=bundle,
            recommender=recommender,
            search=search,
            activated_at=datetime.now(UTC),
            categories=category_tree(bundle),
            intent=intent,
            approval=approval,
            approval_text=champion.approval if approval else None,
        )

    def _serve(self, release: Release) -> None:
        """Replace the served release in one step, and note it for the next start."""
        self._take_over(release)
        self._backoff.reset()
        self._refuse_nothing()
        try:
            self._cache.remember(release.version, release.manifest_sha256, release.approval_text)
        except OSError:
            logger.exception("the served release could not be noted for the next start")

    def _take_over(self, release: Release) -> None:
        self.current = release
        self._listeners.swapped(release)
        logger.info("serving version %s (%s)", release.version, release.manifest_sha256[:12])

    def _is_served(self, champion: ChampionVersion) -> bool:
        current = self.current
        if current is None or current.version != champion.version:
            return False
        return champion.manifest_sha256 in (None, current.manifest_sha256)

    def _state_of(self, champion: ChampionVersion) -> object:
        """What a refusal rests on; while it stays the same, judging again would change nothing."""
        keys = state_of_keys(self._public_keys)
        return (champion.version, champion.manifest_sha256, champion.approval, keys)

    def _refuse(self, champion: ChampionVersion, reason: str, state: object) -> None:
        self.refusal = Refusal(champion.version, reason, datetime.now(UTC))
        self._refused_state = state
        kept = f"version {self.current.version} is kept" if self.current else "there is no release to keep"
        logger.error("version %s is refused, %s: %s", champion.version, kept, reason)
        self._listeners.refused(self.refusal)

    def _refuse_nothing(self) -> None:
        if self.refusal is not None:
            self.refusal, self._refused_state = None, None
            self._listeners.refused(None)

    def _note(self, champion_version: str | None, error: str | None) -> None:
        before = self.registry_state
        self.registry_state = RegistryState(
            error is None,
            champion_version,
            datetime.now(UTC),
            error,
            self._backoff.failures,
            self._backoff.next_at,
        )
        if error is not None and error != before.error:
            logger.warning("%s", error)
        self._listeners.looked(self.registry_state)


def facts_of(release: Release) -> dict[str, Any]:
    """What `/v1/release` tells of a release, as JSON."""
    facts = release.manifest.facts
    return {
        "version": release.version,
        "digest": release.manifest_sha256,
        "as_of": release.manifest.as_of.isoformat(),
        "activated_at": release.activated_at.isoformat(),
        "items": release.bundle.n_items,
        "gate": {**facts["gate"], "override": _override(release.approval)},
        "approval": None if release.approval is None else asdict(release.approval),
        "metrics": facts["metrics"],
        "lake_versions": facts["lake_versions"],
        "feature_services": facts["feature_services"],
        "code_revision": facts["code_revision"],
        "signed_by": release.manifest.key_id,
    }


def _override(approval: Approval | None) -> str | None:
    """Why a person let the release through although the gate did not."""
    return approval.reason if approval is not None and approval.kind == "override" else None
