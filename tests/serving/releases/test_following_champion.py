"""Which release is served: the real registry, real bundles, a real process."""

import threading
import time
from collections.abc import Callable

import httpx
import pytest

from serving.bundle import write_key_pair
from serving.bundle.seal import seal
from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ServingProcess, ids_of
from tests.serving.shop_release import FACTS


@pytest.fixture(scope="module")
def followed(new_registry: Callable[[], ModelRegistry]):
    """A registry whose champion is version 1, and a process that follows it; tests promote others."""
    registry = new_registry()
    with ServingProcess(registry.home) as process:
        assert process.release()["release"] is None
        answer = process.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
        registry.promote(registry.register())
        process.wait_for_version("1")
        yield registry, process


def back_to_first(registry: ModelRegistry, process: ServingProcess) -> None:
    registry.promote("1")
    process.wait_for(lambda answer: answer["release"]["version"] == "1" and answer["refusal"] is None)


def test_a_promotion_is_followed_within_ten_seconds_and_a_rollback_too(followed) -> None:
    registry, process = followed
    version = registry.register()
    registry.promote(version)
    began = time.monotonic()
    answer = process.wait_for_version(version)
    assert time.monotonic() - began < 10
    assert answer["registry"]["champion_version"] == version
    assert answer["release"]["as_of"] == FACTS["as_of"]
    assert process.list_for("u01")["release"] == {
        "version": version,
        "digest": answer["release"]["digest"],
    }
    back_to_first(registry, process)


def altered(registry: ModelRegistry) -> str:
    version = registry.register()
    path = registry.files_of(version) / "items.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    return version


def unsigned(registry: ModelRegistry) -> str:
    version = registry.register()
    (registry.files_of(version) / "manifest.json").unlink()
    return version


def signed_by_a_stranger(registry: ModelRegistry) -> str:
    version = registry.register()
    stranger = write_key_pair(registry.home / "stranger.key", registry.home / "stranger.pub")
    seal(registry.files_of(version), FACTS, stranger)
    return version


def ungated(registry: ModelRegistry) -> str:
    return registry.register(gate={"passed": False, "reasons": ["ndcg@10 is below popularity"]})


def with_a_file_too_many(registry: ModelRegistry) -> str:
    version = registry.register()
    (registry.files_of(version) / "notes.txt").write_text("hello")
    return version


def other_than_registered(registry: ModelRegistry) -> str:
    return registry.register(tags={"manifest_sha256": "0" * 64})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (altered, "items.parquet: expected SHA-256"),
        (unsigned, "manifest.json: expected a sealed bundle"),
        (signed_by_a_stranger, "expected a signature by one of the trusted keys"),
        (ungated, "ndcg@10 is below popularity"),
        (with_a_file_too_many, "notes.txt: expected only files"),
        (other_than_registered, "expected the registered SHA-256 000"),
    ],
)
def test_a_champion_that_does_not_hold_is_refused_and_the_last_good_one_kept(followed, spoil, reason) -> None:
    registry, process = followed
    version = spoil(registry)
    registry.promote(version)
    answer = process.wait_for(lambda answer: answer["refusal"] is not None)
    assert answer["refusal"]["version"] == version
    assert reason in answer["refusal"]["reason"]
    assert answer["release"]["version"] == "1"
    assert "champion_refused" in answer["degraded"]
    listed = process.list_for("u01")
    assert listed["release"]["version"] == "1"
    assert "champion_refused" in listed["degraded"]
    assert "aisle_release_champion_refused 1.0" in process.client.get("/metrics").text
    assert f"version {version} is refused, version 1 is kept" in process.errors()
    back_to_first(registry, process)
    assert "aisle_release_champion_refused 0.0" in process.client.get("/metrics").text


def test_a_person_may_let_an_ungated_release_through_with_a_reason(followed) -> None:
    registry, process = followed
    version = ungated(registry)
    registry.promote(version)
    process.wait_for(lambda answer: answer["refusal"] is not None)
    registry.tag(version, "gate_override", "the season starts tomorrow")
    time.sleep(0.6)
    assert process.release()["release"]["version"] == "1"
    registry.approve(version, "override", "the season starts tomorrow")
    answer = process.wait_for_version(version)
    assert answer["release"]["gate"]["override"] == "the season starts tomorrow"
    assert answer["refusal"] is None
    back_to_first(registry, process)


def test_swapping_under_load_fails_no_request(followed) -> None:
    registry, process = followed
    versions = ["1", registry.register()]
    stop = threading.Event()
    seen: list[tuple[int, str]] = []
    failures: list[str] = []

    def ask(user: int) -> None:
        with httpx.Client(base_url=process.url, timeout=20) as client:
            while not stop.is_set():
                try:
                    answer = client.post("/v1/recommendations", json={"user_id": f"u{user:02d}"})
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                version = (answer.json().get("release") or {}).get("version", "none")
                seen.append((answer.status_code, version))

    askers = [threading.Thread(target=ask, args=(user,)) for user in range(4)]
    for asker in askers:
        asker.start()
    for turn in range(1, 6):
        registry.promote(versions[turn % 2])
        process.wait_for_version(versions[turn % 2])
    stop.set()
    for asker in askers:
        asker.join()
    assert failures == []
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == set(versions)
    assert len(seen) > 100
    back_to_first(registry, process)


def test_a_process_starts_from_its_last_good_release_while_the_registry_is_gone(
    registry: ModelRegistry,
) -> None:
    registry.promote(registry.register())
    with ServingProcess(registry.home) as process:
        process.wait_for_version("1")
        expected = ids_of(process.list_for("u05"))
    with ServingProcess(registry.home, AISLE_SERVING_TRACKING_URI="http://127.0.0.1:9") as process:
        # It answers at once; that the registry is gone shows as soon as it was asked.
        assert process.client.get("/readyz").status_code == 200
        assert ids_of(process.list_for("u05")) == expected
        answer = process.wait_for(lambda answer: answer["registry"]["error"] is not None)
        assert answer["release"]["version"] == "1"
        assert "registry" in answer["degraded"]
        assert "AISLE_SERVING_TRACKING_URI" in answer["registry"]["error"]
