"""Swapping releases back and forth by alias while lists are asked for."""

import json
import time
import urllib.request
from itertools import cycle
from pathlib import Path
from typing import Any

from pipelines.bench.serve.load import Plan
from pipelines.bench.serve.process import start_load
from pipelines.settings import Settings

SEEN_S = 20.0
"""Seconds within which a moved alias has to be served."""


def swap_under_load(home: str, port: int, bodies: list[str], rate: float, seconds: float) -> dict[str, Any]:
    """Move alias `champion` to the other version, wait until it is served, and so on until the load ends.

    Returns:
        `swaps` seen to be served, `failed` requests, `p99_ms`.
    """
    from pipelines.release import CHAMPION, Registry

    registry = Registry(Settings(home=Path(home), lake_uri=str(Path(home) / "lake")))
    others = cycle(sorted((one.number for one in registry.versions()), reverse=True))
    registry.move_alias(CHAMPION, next(others))
    registry.move_alias(CHAMPION, next(others))
    load = start_load(Plan(port, "/v1/recommendations", bodies, seconds, rate=rate))
    swaps = 0
    while load.poll() is None:
        version = next(others)
        registry.move_alias(CHAMPION, version)
        until = time.monotonic() + SEEN_S
        while load.poll() is None and time.monotonic() < until:
            if _served(port) == str(version):
                swaps += 1
                break
            time.sleep(0.02)
    registry.move_alias(CHAMPION, min(one.number for one in registry.versions()))
    answers = json.loads(load.communicate()[0])
    return {"swaps": swaps, "failed": answers["errors"], "p99_ms": answers["p99_ms"]}


def _served(port: int) -> str | None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/release", timeout=10) as answer:
        release = json.load(answer)["release"]
    return None if release is None else str(release["version"])
