"""Looking users up through Feast's SDK, in the process itself."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.bench.features.sides import alternating, median
from pipelines.bench.features.sizes import Sizes
from pipelines.bench.features.synthetic_lake import write_feature_tables
from pipelines.features import store
from pipelines.features.registry import open_store
from pipelines.settings import Settings

SERVICE = "retrieval_v1"
ONE_ROW_LOOK_UPS = 2_000
HUNDRED_ROWS_LOOK_UPS = 100


def measure(folder: Path, sizes: Sizes, runs: int) -> dict[str, Any]:
    """`one_row_p50_ms one_row_p99_ms hundred_rows_p50_ms` of the service that serving reads."""
    settings = write_feature_tables(folder, sizes.entities)
    store.apply(settings)
    store.materialize(settings)
    arguments = {ours: {"home": str(folder), "entities": sizes.entities}}
    told = alternating((ours,), arguments, runs)[ours]
    return {name: round(median(told, name), 3) for name in told[0]}


def ours(home: str, entities: int) -> dict[str, Any]:
    """Milliseconds of single look-ups, the first ones left out."""
    feast = open_store(Settings(home=Path(home), lake_uri=f"{home}/lake"))
    service = feast.get_feature_service(SERVICE)
    random = np.random.default_rng(1)

    def milliseconds(rows: int, times: int) -> list[float]:
        asked = [
            [{"user_id": f"user-{number}"} for number in random.integers(0, entities, rows)]
            for _ in range(times + 20)
        ]
        took = []
        for rows_asked in asked:
            began = time.perf_counter()
            feast.get_online_features(service, rows_asked).to_dict()
            took.append((time.perf_counter() - began) * 1000)
        return took[20:]

    one, hundred = milliseconds(1, ONE_ROW_LOOK_UPS), milliseconds(100, HUNDRED_ROWS_LOOK_UPS)
    return {
        "one_row_p50_ms": float(np.percentile(one, 50)),
        "one_row_p99_ms": float(np.percentile(one, 99)),
        "hundred_rows_p50_ms": float(np.percentile(hundred, 50)),
    }
