"""The parts of a training that are measured, each to be run in a process of its own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.bench.growth.shop import AS_OF, write_shop
from pipelines.lake import open_lake
from pipelines.runtime import peak_bytes
from pipelines.settings import Settings


def draw(home: str, events: int, items: int) -> dict[str, Any]:
    """Write the shop; it is not measured."""
    write_shop(open_lake(_settings(home)), events, items)
    return {}


def features(home: str, budget: str) -> dict[str, Any]:
    """Build the features and declare them."""
    from pipelines.features import build_features, store
    from pipelines.features.engines import engine_of

    settings = _settings(home, budget)

    def work() -> None:
        build_features(open_lake(settings), AS_OF, connect=engine_of(settings))
        store.apply(settings)

    return measured(work)


def training_set(home: str, budget: str) -> dict[str, Any]:
    """From lake and feature store to arrays, the candidate sources' lists included."""
    from pipelines.training import tasks

    return measured(lambda: tasks.build_training_set(AS_OF, _bundle(home), _settings(home, budget)))


def sources(home: str, budget: str) -> dict[str, Any]:
    """The candidate sources' lists once more, alone."""
    from pipelines.training import write_lookalikes, write_state_of
    from pipelines.training.data import TrainingSet

    del budget
    material = TrainingSet.open(_bundle(home))

    def work() -> None:
        write_lookalikes(material)
        write_state_of(material, material.ranking_names[0])

    return measured(work)


def retrieval(home: str, budget: str) -> dict[str, Any]:
    """Train the retrieval model, and weigh the sources."""
    from pipelines.training import tasks

    del budget
    return measured(lambda: tasks.train_retrieval(AS_OF, _bundle(home)))


def ranking(home: str, budget: str) -> dict[str, Any]:
    """Train the ranking model on what retrieval offers."""
    from pipelines.training import tasks

    del budget
    return measured(lambda: tasks.train_ranking(AS_OF, _bundle(home)))


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """Its `seconds`, its `cpu_seconds`, and the process's `peak_mb` until its end."""
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - started_cpu, 1),
        "peak_mb": round(peak_bytes() / 1e6),
    }


def _settings(home: str, budget: str = "demo") -> Settings:
    return Settings.model_validate({"home": home, "training_budget": budget})


def _bundle(home: str) -> Path:
    return Path(home) / "training" / "bundle"
