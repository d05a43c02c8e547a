"""Seconds and memory of building every feature table, for growing numbers of events, on each engine."""

import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from pipelines.bench.engines.growing_shop import AS_OF, write_growing_shop
from pipelines.errors import AisleError, ProcessError
from pipelines.features import build_features
from pipelines.features.engines import engine_of
from pipelines.lake import Lake
from pipelines.runtime import Console, Limits, run_isolated
from pipelines.settings import load_settings

ENGINES = ("duckdb", "spark")
SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 20_000_000)
WRITE_LIMIT_S = 1_800.0
SAMPLE_S = 0.1
"""Between two looks at the memory of the processes."""


def measure_engines(
    folder: Path,
    sizes: Sequence[int],
    engines: Sequence[str],
    limit_s: float,
    console: Console,
) -> dict[str, Any]:
    """Build features of growing shops, each time in a process of its own, one engine after the other.

    An engine that did not finish a size is not given a larger one.

    Args:
        folder: Where the shops are written, one at a time.
        sizes: Events of the shops.
        engines: Names of engines, as `AISLE_ENGINE` takes them.
        limit_s: Seconds after which a process and its children are killed.
        console: Where a person sees how far it is.

    Returns:
        `cores`, `limit_s`, and by engine a list of `events load` with `seconds cpu_s peak_mb rows`, or with
        `failed`, why there are none.
    """
    figures: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for events in sorted(sizes):
        going_on = [engine for engine in engines if not any("failed" in one for one in figures[engine])]
        for engine in set(engines) - set(going_on):
            figures[engine].append({"events": events, "failed": "not tried: a smaller one did not finish"})
        if not going_on:
            continue
        shop = folder / str(events)
        with console.step(f"write {events:,} events"):
            run_isolated(write, Limits(WRITE_LIMIT_S), home=str(shop), events=events)
        for engine in going_on:
            with console.step(f"{engine}, {events:,} events"):
                figures[engine].append(_figure(shop, events, engine, limit_s))
            console.info(f"  {figures[engine][-1]}")
        shutil.rmtree(shop)
    return {"cores": os.cpu_count(), "limit_s": limit_s, "engines": figures}


def write(home: str, events: int) -> dict[str, Any]:
    """Write a shop, in a process whose memory nobody looks at."""
    write_growing_shop(Path(home), events)
    return {"events": events}


def build(home: str, engine: str) -> dict[str, Any]:
    """`seconds cpu_s peak_mb rows` of building every feature table; seconds without the imports of Python."""
    settings = load_settings().model_copy(update={"engine": engine})
    with peak_memory() as peak:
        began, worked = time.perf_counter(), _cpu_seconds()
        report = build_features(Lake(Path(home) / "lake"), AS_OF, connect=engine_of(settings))
        seconds, cpu_s = time.perf_counter() - began, _cpu_seconds() - worked
    return {
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "peak_mb": round(peak[0]),
        "rows": report.rows,
    }


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """The greatest memory in MB of this process and all its children together, while the block runs."""
    peak, ended, me = [0.0], threading.Event(), psutil.Process()

    def look() -> None:
        while not ended.wait(SAMPLE_S):
            peak[0] = max(peak[0], sum(map(_resident_mb, [me, *me.children(recursive=True)])))

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield peak
    finally:
        ended.set()
        watch.join()


def _figure(shop: Path, events: int, engine: str, limit_s: float) -> dict[str, Any]:
    told: dict[str, Any] = {"events": events, "load": round(os.getloadavg()[0], 1)}
    began = time.monotonic()
    try:
        built = run_isolated(build, Limits(limit_s), home=str(shop), engine=engine)
    except ProcessError as error:
        late = time.monotonic() - began >= limit_s
        return told | {"failed": f"not finished in {limit_s:g} s" if late else str(error).splitlines()[0]}
    except AisleError as error:
        return told | {"failed": str(error).splitlines()[0][:200]}
    return told | built


def _cpu_seconds() -> float:
    """What this process and its children have computed; Spark's Java lives on when its session has ended."""
    me = psutil.Process()
    return float(sum(sum(one.cpu_times()[:2]) for one in (me, *me.children(recursive=True))))


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0
