"""The holder of the served release, without a process around it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.bundle import Approval, load_private_key, write_key_pair
from serving.releases.cache import ReleaseCache
from serving.releases.follower import ReleaseObserver, Releases
from serving.releases.registry import ChampionVersion, Registry
from tests.serving.model_registry import MODEL, ModelRegistry


class Told:
    """Remembers what listeners were told."""

    def __init__(self) -> None:
        self.swapped: list[str] = []
        self.refused: list[str | None] = []

    def listeners(self) -> ReleaseObserver:
        return ReleaseObserver(
            swapped=lambda release: self.swapped.append(release.version),
            refused=lambda refusal: self.refused.append(refusal and refusal.version),
            looked=lambda state: None,
        )


class Tags:
    """A registry in front of the real one, whose champion bears tags that MLflow itself would not take."""

    def __init__(self, inner: Any, tags: dict[str, str]) -> None:
        self._inner, self._tags = inner, tags

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def champion(self) -> ChampionVersion:
        champion = self._inner.champion()
        return ChampionVersion(champion.version, {**champion.tags, **self._tags})


def releases_of(
    registry: ModelRegistry, told: Told, tracking_uri: str | None = None, require_approval: bool = False
) -> Releases:
    return Releases(
        Registry(tracking_uri or registry.uri, MODEL, timeout_s=2.0),
        ReleaseCache(registry.home / "cache"),
        [registry.home / "keys" / "release.pub"],
        told.listeners(),
        require_approval=require_approval,
    )


def copies(registry: ModelRegistry) -> list[Path]:
    return [path for path in (registry.home / "cache").iterdir() if path.is_dir()]


def test_nothing_is_served_before_an_alias_is_set(registry: ModelRegistry) -> None:
    told = Told()
    releases = releases_of(registry, told)
    registry.register()
    releases.poll_once()
    assert releases.current is None
    assert releases.registry_state.reachable
    assert (told.swapped, told.refused) == ([], [])


def test_a_release_that_is_served_is_not_fetched_again(registry: ModelRegistry) -> None:
    told = Told()
    releases = releases_of(registry, told)
    registry.promote(registry.register())
    releases.poll_once()
    served = releases.current
    releases.poll_once()
    assert releases.current is served
    assert told.swapped == ["1"]


def test_a_refused_champion_is_judged_once_until_something_changes(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    releases = releases_of(registry, told)
    version = registry.register(gate={"passed": False, "reasons": ["below popularity"]})
    registry.promote(version)
    for _ in range(3):
        releases.poll_once()
    assert told.refused == ["1"]
    registry.approve(version, "override", "shown to the board")
    releases.poll_once()
    assert told.swapped == ["1"]
    assert told.refused == ["1", None]
    assert releases.current is not None
    assert releases.current.approval == Approval(
        "override",
        "1",
        releases.current.manifest_sha256,
        "kim",
        "2024-05-02T08:00:00+00:00",
        "shown to the board",
    )


@pytest.mark.parametrize(
    "tags",
    [
        {"gate_override": "the season starts tomorrow"},
        {"approval": "the season starts tomorrow"},
        {"approval": '{"kind": "override"}'},
        {"approval": "[" * 100_000},
    ],
)
def test_whoever_writes_to_the_registry_cannot_let_a_refused_release_through(
    registry: ModelRegistry, tags: dict[str, str]
) -> None:
    releases = releases_of(registry, Told())
    version = registry.register(gate={"passed": False, "reasons": ["below popularity"]})
    registry.promote(version)
    releases._registry = Tags(releases._registry, tags)
    releases.poll_once()
    assert releases.current is None
    assert releases.refusal is not None


@pytest.mark.parametrize("change", ["reason", "by", "kind", "version", "manifest_sha256"])
def test_an_approval_that_was_altered_lets_nothing_through(registry: ModelRegistry, change: str) -> None:
    releases = releases_of(registry, Told())
    version = registry.register(gate={"passed": False, "reasons": ["below popularity"]})
    registry.promote(version)
    registry.approve(version, "approval" if change == "kind" else "override", "fine")
    text = registry.client.get_model_version(MODEL, version).tags["approval"]
    values = {"kind": "override", "version": "9", "manifest_sha256": "0" * 64}
    registry.tag(version, "approval", json.dumps({**json.loads(text), change: values.get(change, "other")}))
    releases.poll_once()
    assert releases.current is None
    assert "altered" in releases.refusal.reason


def test_an_approval_of_another_version_or_by_another_key_lets_nothing_through(
    registry: ModelRegistry, new_registry: Callable[[], ModelRegistry]
) -> None:
    releases = releases_of(registry, Told())
    refused = registry.register(gate={"passed": False, "reasons": ["below popularity"]})
    other = registry.register(gate={"passed": False, "reasons": ["below popularity too"]})
    registry.approve(refused, "override", "fine", of=other)
    registry.promote(refused)
    releases.poll_once()
    assert "received one of version 2" in releases.refusal.reason
    stranger = new_registry()
    digest = hashlib.sha256((registry.files_of(refused) / "manifest.json").read_bytes()).hexdigest()
    forged = Approval("override", refused, digest, "eve", "2024-05-02T08:00:00+00:00", "fine")
    key = load_private_key(stranger.home / "keys" / "release.key")
    registry.tag(refused, "approval", forged.signed(key))
    releases.poll_once()
    assert "signed by a trusted key" in releases.refusal.reason
    assert releases.current is None


def test_where_approvals_are_asked_for_an_alias_alone_is_a_wish(registry: ModelRegistry) -> None:
    releases = releases_of(registry, Told(), require_approval=True)
    version = registry.register()
    registry.promote(version)
    releases.poll_once()
    assert releases.current is None
    assert "an alias alone is a wish" in releases.refusal.reason
    registry.approve(version, "approval", "looked at the report")
    releases.poll_once()
    assert releases.current.approval.by == "kim"
    again = releases_of(registry, Told(), tracking_uri="http://127.0.0.1:9", require_approval=True)
    again.restore()
    assert again.current.approval.reason == "looked at the report"


@pytest.mark.parametrize("path", ["../../keys", "/etc", "artifacts/../../..", "artifacts//bundle", ".."])
def test_a_tag_cannot_lead_serving_out_of_the_files_of_a_version(registry: ModelRegistry, path: str) -> None:
    releases = releases_of(registry, Told())
    registry.promote(registry.register(tags={"bundle_path": path}))
    releases.poll_once()
    assert releases.current is None
    assert "relative path below the version's files" in releases.registry_state.error
    assert not [one for one in (registry.home / "cache").rglob("*") if one.name == "release.key"]


def test_a_key_that_arrives_later_lets_the_waiting_champion_through(registry: ModelRegistry) -> None:
    told = Told()
    releases = releases_of(registry, told)
    key = registry.home / "keys" / "release.pub"
    content = key.read_bytes()
    registry.promote(registry.register())
    key.unlink()
    releases.poll_once()
    assert releases.refusal is not None
    assert "release.pub" in releases.refusal.reason
    key.write_bytes(content)
    releases.poll_once()
    assert told.swapped == ["1"]


def test_an_altered_copy_is_not_served_and_is_fetched_again(registry: ModelRegistry) -> None:
    registry.promote(registry.register())
    releases_of(registry, Told()).poll_once()
    (copy,) = copies(registry)
    (copy / "items.parquet").write_bytes(b"PAR1")
    releases = releases_of(registry, Told(), tracking_uri="http://127.0.0.1:9")
    releases.restore()
    assert releases.current is None
    assert releases.refusal is not None
    assert "items.parquet: expected" in releases.refusal.reason
    releases.poll_once()
    assert not releases.registry_state.reachable
    releases = releases_of(registry, told := Told())
    releases.restore()
    releases.poll_once()
    assert told.swapped == ["1"]


def test_a_release_that_lies_here_is_taken_up_again_without_a_download(registry: ModelRegistry) -> None:
    releases = releases_of(registry, told := Told())
    registry.promote(registry.register())
    releases.poll_once()
    (copy,) = copies(registry)
    registry.tag("1", "manifest_sha256", copy.name)
    registry.promote(registry.register(code_revision="other"))
    releases.poll_once()
    (registry.files_of("1") / "items.parquet").unlink()
    registry.promote("1")
    releases.poll_once()
    assert told.swapped == ["1", "2", "1"]


def test_the_three_newest_releases_stay_on_the_machine(registry: ModelRegistry) -> None:
    releases = releases_of(registry, Told())
    for revision in ("a", "b", "c", "d"):
        registry.promote(registry.register(code_revision=revision))
        releases.poll_once()
    revisions = {
        (path / "manifest.json").read_text().split('"code_revision": "')[1][0] for path in copies(registry)
    }
    assert revisions == {"b", "c", "d"}


def test_a_release_that_cannot_answer_is_refused(registry: ModelRegistry, monkeypatch) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("the graph does not fit")

    monkeypatch.setattr("serving.releases.follower.Recommender.warm_up", fail)
    releases = releases_of(registry, Told())
    registry.promote(registry.register())
    releases.poll_once()
    assert releases.current is None
    assert releases.refusal is not None
    assert "the graph does not fit" in releases.refusal.reason


def test_a_version_without_its_files_is_tried_again_after_a_wait(registry: ModelRegistry) -> None:
    releases = releases_of(registry, told := Told())
    registry.promote(registry.register())
    files = registry.files_of("1")
    files.rename(files.with_name("hidden"))
    releases.poll_once()
    assert releases.refusal is None
    assert "could not be fetched" in str(releases.registry_state.error)
    files.with_name("hidden").rename(files)
    releases._backoff._until = 0.0
    releases.poll_once()
    assert told.swapped == ["1"]


@pytest.mark.parametrize("tag", ["../../../etc", "/etc", "", "A" * 64])
def test_a_tag_never_leads_out_of_the_cache(tmp_path: Path, tag: str) -> None:
    assert ReleaseCache(tmp_path).folder_of(tag) == tmp_path / ".nothing"


def test_a_revoked_key_ends_the_service_of_what_it_signed_with_the_next_poll(registry: ModelRegistry) -> None:
    keys = registry.home / "keys"
    registry.promote(registry.register())
    releases = releases_of(registry, Told())
    releases.poll_once()
    (keys / "release.pub").replace(keys / "release-first.pub")
    (keys / "release.key").unlink()
    write_key_pair(keys / "release.key", keys / "release.pub")
    releases._public_keys = [keys]
    registry.promote(registry.register(metrics={"ndcg@10": {"mean": 0.5, "ci95": None}}))
    releases.poll_once()
    assert releases.current is not None
    assert releases.current.version == "2"
    signer = releases.current.manifest.key_id
    write_key_pair(keys / "other.key", keys / "release-other.pub")
    (keys / f"release-{signer}.revoked").touch()
    releases.poll_once()
    assert releases.current is not None
    assert releases.current.version == "1"
    assert releases.refusal is not None
    assert signer in releases.refusal.reason
    releases.poll_once()
    assert releases.current.version == "1"


def test_a_key_folder_that_is_empty_for_a_moment_is_no_revocation(registry: ModelRegistry) -> None:
    keys = registry.home / "keys"
    registry.promote(registry.register())
    releases = releases_of(registry, Told())
    releases._public_keys = [keys]
    releases.poll_once()
    (keys / "release.pub").unlink()
    releases.poll_once()
    assert releases.current is not None
    assert releases.current.version == "1"


def test_a_failed_download_is_not_repeated_with_each_poll(registry: ModelRegistry) -> None:
    version = registry.register()
    registry.promote(version)
    shutil.rmtree(registry.files_of(version))
    releases = releases_of(registry, Told())
    releases.poll_once()
    state = releases.registry_state
    assert state.download_failures == 1
    assert state.next_download_at is not None
    releases.poll_once()
    assert releases.registry_state.download_failures == 1
    assert releases.registry_state.error == state.error
    registry.promote(registry.register())
    releases.poll_once()
    assert releases.current is not None
    assert releases.current.version == "2"
    releases.poll_once()
    assert releases.registry_state.download_failures == 0
