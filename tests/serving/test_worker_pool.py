"""Several serving processes behind one address: what one acknowledges all know, and one may be killed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serving.events import read_events
from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ServingProcess, ids_of

WORKERS = 3


def workers_of(pool: ServingProcess) -> list[int]:
    children = Path(f"/proc/{pool.process.pid}/task/{pool.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


@pytest.fixture(scope="module")
def pool_registry(new_registry: Callable[[], ModelRegistry]) -> ModelRegistry:
    registry = new_registry()
    registry.promote(registry.register())
    return registry


@pytest.fixture(scope="module")
def pool(pool_registry: ModelRegistry) -> Iterator[ServingProcess]:
    with ServingProcess(pool_registry.home, AISLE_SERVING_WORKERS=str(WORKERS)) as process:
        process.wait_for_version("1")
        yield process


def fresh(pool: ServingProcess) -> httpx.Client:
    """A client with a connection of its own, which any worker may accept."""
    return httpx.Client(base_url=pool.url, timeout=30)


def everywhere(pool: ServingProcess, version: str) -> None:
    """Wait until every worker serves the version: twenty connections in a row answer from it."""
    until = time.monotonic() + 30
    agreed = 0
    while agreed < 20:
        assert time.monotonic() < until, pool.errors()
        with fresh(pool) as client:
            release = client.get("/v1/release").json()["release"]
        agreed = agreed + 1 if release is not None and release["version"] == version else 0


def test_there_are_as_many_workers_as_the_setting_says(pool: ServingProcess):
    assert len(workers_of(pool)) == WORKERS


def test_an_acknowledged_event_is_in_the_next_list_whichever_worker_answers(pool: ServingProcess):
    everywhere(pool, "1")
    for number in range(30):
        user = f"next-{number}"
        with fresh(pool) as one, fresh(pool) as other:
            event = {"event_type": "purchase", "user_id": user, "item_id": "i41"}
            told = one.post("/v1/events", json={"events": [event | {"event_at": "2024-04-20T00:00:00Z"}]})
            assert told.json()["accepted"] == 1
            answer = other.post("/v1/recommendations", json={"user_id": user, "k": 40}).json()
        sources = {item["item_id"]: item["source"] for item in answer["items"]}
        assert sources["i41"] == "buy_again", (number, answer)


def test_a_repeated_event_is_a_duplicate_whichever_worker_hears_it(pool: ServingProcess):
    for number in range(20):
        event = {"event_id": f"once-{number}", "event_type": "view", "user_id": "u", "item_id": "i01"}
        statuses = []
        for _ in range(3):
            with fresh(pool) as client:
                told = client.post("/v1/events", json={"events": [event]}).json()
            statuses += [one["status"] for one in told["events"]]
        assert statuses == ["accepted", "duplicate", "duplicate"]


def test_counters_of_all_workers_add_up(pool: ServingProcess):
    def counted() -> float:
        with fresh(pool) as client:
            lines = client.get("/metrics").text.splitlines()
        (line,) = [one for one in lines if one.startswith('aisle_events_total{status="accepted"}')] or ["x 0"]
        return float(line.split()[-1])

    before = counted()
    for number in range(12):
        with fresh(pool) as client:
            event = {"event_type": "view", "user_id": f"counted-{number}", "item_id": "i02"}
            client.post("/v1/events", json={"events": [event]})
    assert counted() - before == 12


def test_a_killed_worker_is_replaced_within_a_second_and_nothing_that_was_acknowledged_is_lost(
    pool: ServingProcess,
):
    everywhere(pool, "1")
    ending, acknowledged, failed, unanswered = threading.Event(), [], [], []

    def ask(shopper: int) -> None:
        number = 0
        while not ending.is_set():
            number += 1
            event_id = f"kill-{shopper}-{number}"
            event = {"event_id": event_id, "event_type": "view", "user_id": f"k{shopper}", "item_id": "i03"}
            try:
                with fresh(pool) as client:
                    told = client.post("/v1/events", json={"events": [event]})
                    asked = client.post("/v1/recommendations", json={"user_id": f"k{shopper}", "k": 5})
            except httpx.HTTPError as error:
                unanswered.append(error)  # the worker that was killed had it in its hands
                continue
            if told.status_code != 200 or asked.status_code != 200:
                failed.append((told.status_code, asked.status_code))
            else:
                acknowledged.append(event_id)

    threads = [threading.Thread(target=ask, args=(one,)) for one in range(4)]
    for thread in threads:
        thread.start()
    replaced_s = []
    for _ in range(4):
        time.sleep(1.2)
        before = workers_of(pool)
        os.kill(before[0], signal.SIGKILL)
        killed_at = time.monotonic()
        while len(set(workers_of(pool)) - {before[0]}) < WORKERS:
            assert time.monotonic() - killed_at < 10, pool.errors()
            time.sleep(0.005)
        replaced_s.append(time.monotonic() - killed_at)
    ending.set()
    for thread in threads:
        thread.join()
    assert max(replaced_s) < 1
    assert failed == []
    assert len(unanswered) <= 4 * len(replaced_s), unanswered
    assert len(acknowledged) > 20
    stored = [event["event_id"] for event in read_events(pool.home / "events")]
    assert set(acknowledged) <= set(stored)
    # A restarted worker and the others know them, too: a repeat is no new event.
    with fresh(pool) as client:
        batch = [
            {"event_id": one, "event_type": "view", "user_id": "x", "item_id": "i03"}
            for one in acknowledged[:500]
        ]
        told = client.post("/v1/events", json={"events": batch}).json()
    assert told["duplicates"] == len(batch)


def test_all_workers_swap_and_only_one_fetches(pool: ServingProcess, pool_registry: ModelRegistry):
    pool_registry.promote(pool_registry.register(code_revision="1111111"))
    everywhere(pool, "2")
    assert pool.errors().count("fetching version 2") == 1
    pool_registry.promote("1")
    everywhere(pool, "1")


def test_the_follower_of_the_registry_may_be_killed(pool: ServingProcess, pool_registry: ModelRegistry):
    for pid in workers_of(pool):
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    pool_registry.promote("2")
    everywhere(pool, "2")
    pool_registry.promote("1")
    everywhere(pool, "1")


def test_a_pool_ends_with_its_parent(new_registry: Callable[[], ModelRegistry]):
    registry = new_registry()
    registry.promote(registry.register())
    with ServingProcess(registry.home, AISLE_SERVING_WORKERS="2") as process:
        process.wait_for_version("1")
        told = process.tell(
            {"event_type": "purchase", "user_id": "end", "item_id": "i41", "event_at": "2024-04-20T00:00:00Z"}
        )
        assert told["accepted"] == 1
        workers = workers_of(process)
        process.kill()
        until = time.monotonic() + 5
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until
            time.sleep(0.02)
    with ServingProcess(registry.home, AISLE_SERVING_WORKERS="2") as process:
        process.wait_for_version("1")
        assert "i41" in ids_of(process.list_for("end", k=40))
