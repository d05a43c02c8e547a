"""The folder that a measured serving process reads: release, registry, keys and feature store."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.bench.serve.release import AS_OF, write_release
from pipelines.bench.serve.shoppers import write_shoppers
from pipelines.runtime import Limits, run_isolated
from pipelines.settings import Settings
from pipelines.training import Budget, TrainingConfig

LIMIT_S = 900.0
MADE = "made.json"
FORMAT = 1
"""Raised when a home of before does not serve any more."""
VERSIONS = 2
"""Versions of the release, between which a swap goes back and forth."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the measured shop is."""

    items: int
    users: int
    budget: Budget = "demo"
    """Which configuration shapes vectors and graphs."""


def make_home(folder: Path, size: Size) -> Path:
    """The home for a shop of that size below `folder`; one that is there already is used again."""
    home = folder / f"{size.items}-{size.users}-{size.budget}-{FORMAT}"
    if (home / MADE).is_file():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    limits = Limits(LIMIT_S)
    with ThreadPoolExecutor(2) as together:
        shoppers = together.submit(
            run_isolated, write_shoppers, limits, home=str(home), users=size.users, items=size.items
        )
        bundle = run_isolated(_make_bundle, limits, str(home), size.items, size.budget)
        facts = {**bundle, **shoppers.result()}
    run_isolated(_register, limits, str(home))
    (home / MADE).write_text(json.dumps(facts), "utf-8")
    return home


def _make_bundle(home: str, items: int, budget: Budget) -> dict[str, Any]:
    """Write the bundle with graphs and text index."""
    import pyarrow.parquet as pq

    from pipelines.bench.serve.graphs import write_graphs
    from serving.search import index

    bundle = Path(home) / "bundle"
    write_release(bundle, items, TrainingConfig.of(None, budget=budget))
    index.build(bundle, pq.read_table(bundle / "items.parquet"))
    write_graphs(str(bundle), budget)
    return {"bytes": sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())}


def _register(home: str) -> dict[str, Any]:
    """Seal and register it, once for each version, and make the first one champion."""
    from pipelines.release import CHAMPION, Decision, Measured, Origin, Registry, register_release
    from pipelines.tracking import begin_run, end_run
    from serving.bundle import Bundle, write_array

    settings, bundle = _settings(home), Path(home) / "bundle"
    numbers = []
    for place in range(VERSIONS):
        if place:
            write_array(bundle, "trending", Bundle.open(bundle).trending[::-1].copy())
        run_id = begin_run(settings, "bench serve", f"bench-serve-{place}")
        as_of = AS_OF.isoformat()
        told = register_release(
            settings,
            bundle,
            Origin(as_of, {}, ("retrieval_v1", "ranking_v1"), run_id, as_of),
            Measured(
                {"ndcg@10": 0.0}, {}, Decision(passed=True, reasons=("made for a benchmark",), checks=())
            ),
        )
        end_run(settings, run_id)
        numbers.append(int(told["version"]))
    Registry(settings).move_alias(CHAMPION, numbers[0])
    return {"versions": numbers}


def _settings(home: str) -> Settings:
    return Settings(home=Path(home), lake_uri=str(Path(home) / "lake"))


def titles_of(home: Path) -> list[str]:
    """Titles of the catalogue."""
    import pyarrow.parquet as pq

    titles: list[str] = pq.read_table(home / "bundle" / "items.parquet", columns=["title"])[
        "title"
    ].to_pylist()
    return titles
