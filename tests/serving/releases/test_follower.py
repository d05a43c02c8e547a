"""The holder of the served release, without a process around it."""

from pathlib import Path

import pytest

from serving.releases.cache import ReleaseCache
from serving.releases.follower import ReleaseObserver, Releases
from serving.releases.registry import Registry
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


def releases_of(registry: ModelRegistry, told: Told, tracking_uri: str | None = None) -> Releases:
    return Releases(
        Registry(tracking_uri or registry.uri, MODEL, timeout_s=2.0),
        ReleaseCache(registry.home / "cache"),
        [registry.home / "keys" / "release.pub"],
        told.listeners(),
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
    registry.tag(version, "gate_override", "shown to the board")
    releases.poll_once()
    assert told.swapped == ["1"]
    assert told.refused == ["1", None]
    assert releases.current is not None
    assert releases.current.gate_override == "shown to the board"


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


def test_a_version_without_its_files_is_tried_again_with_the_next_look(registry: ModelRegistry) -> None:
    releases = releases_of(registry, told := Told())
    registry.promote(registry.register())
    files = registry.files_of("1")
    files.rename(files.with_name("hidden"))
    releases.poll_once()
    assert releases.refusal is None
    assert "could not be fetched" in str(releases.registry_state.error)
    files.with_name("hidden").rename(files)
    releases.poll_once()
    assert told.swapped == ["1"]


@pytest.mark.parametrize("tag", ["../../../etc", "/etc", "", "A" * 64])
def test_a_tag_never_leads_out_of_the_cache(tmp_path: Path, tag: str) -> None:
    assert ReleaseCache(tmp_path).folder_of(tag) == tmp_path / ".nothing"
