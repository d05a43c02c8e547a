"""The load generator of `aisle bench serve`, and the release that it loads."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.bench.serve.load import Plan, send
from pipelines.bench.serve.release import write_release
from pipelines.training import TrainingConfig
from serving.bundle import Bundle
from serving.engine import RecommendationRequest, Recommender
from serving.engine.user_batch import user_batch


async def answers_of(plan: dict, stall: tuple[float, float] | None = None, status: int = 200) -> dict:
    """What came back of a server that answers at once, but not from `stall[0]` to `stall[1]` seconds."""
    began = time.perf_counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                since = time.perf_counter() - began
                if stall is not None and stall[0] < since < stall[1]:
                    await asyncio.sleep(stall[1] - since)
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % status)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await send(Plan(server.sockets[0].getsockname()[1], "/", ['{"a": 1}'], **plan))


def test_load_without_a_rate_sends_as_fast_as_it_is_answered():
    told = asyncio.run(answers_of({"seconds": 0.3, "connections": 4}))
    assert told["errors"] == 0
    assert told["statuses"] == {"200": told["sent"]}
    assert told["answered_rps"] > 200


def test_latency_counts_from_the_instant_a_request_was_due():
    """Of 2 s at 100 a second, half fall into a second without answers: they wait half a second on average."""
    told = asyncio.run(answers_of({"seconds": 2.0, "rate": 100.0}, stall=(0.5, 1.5)))
    assert told["sent"] == pytest.approx(200, abs=45)
    assert told["errors"] == 0
    assert told["p99_ms"] == pytest.approx(1_000, abs=150)
    assert told["p90_ms"] > 600


def test_refusals_are_errors_with_latencies_of_their_own():
    told = asyncio.run(answers_of({"seconds": 0.2, "rate": 50.0}, status=503))
    assert told["statuses"] == {"503": told["sent"]}
    assert told["errors"] == told["sent"] > 0
    assert told["p50_ms"] is None
    assert told["refusal_p99_ms"] < 200


def test_the_release_without_graphs_answers_lists_of_its_own_items(tmp_path: Path):
    write_release(tmp_path / "bundle", 1_000, TrainingConfig.of(None, budget="demo"))
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.item_vectors.shape == (1_000, 128)
    np.testing.assert_allclose(np.linalg.norm(bundle.item_vectors, axis=1), 1, rtol=1e-5)
    row = {"item_ids": ["item-3", "item-5"], "event_types": ["view", "purchase"], "event_times": [90, 80]}
    ranked = Recommender(bundle).rank_items(user_batch(bundle, [row], [100.0]), RecommendationRequest(k=20))
    items = ranked.items[0]
    assert len(set(items.tolist())) == 20
    assert (items >= 0).all()
