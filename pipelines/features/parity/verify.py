"""Checking that what is served is what history says, bit for bit."""

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureStore, FeatureView
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.engines import engine_of
from pipelines.features.parity.compare import (
    KNOWN_AT,
    Cause,
    Difference,
    Encoded,
    Findings,
    alive,
    as_bytes,
    objects,
    stamp_bytes,
)
from pipelines.features.parity.recompute import known_keys, recomputed
from pipelines.features.registry import declared_views, last_build, online_store_answers, open_store
from pipelines.features.transforms import FeatureConfig
from pipelines.lake import open_lake
from pipelines.settings import Settings

ONLINE_AT_ONCE = 500
"""Entities that are looked up in one request."""

ADVICE: dict[Cause, str] = {
    "stale online value": "the online store does not hold what the feature tables do: "
    "run `aisle features materialize`",
    "late data": "events came or changed after the features were built: run `aisle features build`, then "
    "`aisle features materialize`",
    "changed definition": "today's code computes other values than the one that built the features: run "
    "`aisle features build`, then `aisle features materialize`",
}


class VerifyReport(BaseModel):
    """What a verification compared and found."""

    model_config = ConfigDict(frozen=True)

    as_of: datetime
    """Exclusive cutoff of the events behind the features."""

    until: datetime
    """Instant whose values are served."""

    vectors: int
    """Rows of one entity in one view that were compared."""

    values: int
    """Single values, instants included, that were compared."""

    differences: int
    """Values that differ."""

    causes: dict[Cause, int]
    """Vectors that differ, by cause."""

    examples: list[Difference]
    """The first differences."""

    advice: list[str]
    """What to do."""

    seconds: float


def verify(settings: Settings, sample: int = 1000, seed: int = 0) -> VerifyReport:
    """Compare served vectors with what the events say, computed anew.

    Args:
        settings: Where the stores are.
        sample: Users and items, each, that are drawn; all where there are fewer.
        seed: Which ones are drawn.

    Raises:
        FeatureError: Nothing was built or materialized.
    """
    began = time.perf_counter()
    lake, store, connect = open_lake(settings), open_store(settings), engine_of(settings)
    build = last_build(lake)
    until = _served_until(store)
    config = FeatureConfig(span_days=build["config"]["span_days"])
    random = np.random.default_rng(seed)
    keys = {
        column: _drawn(known_keys(lake, column, connect), sample, random) for column in ("user_id", "item_id")
    }
    now_versions = {name: lake.version(name) for name in ("events", "items", "users")}
    truth = recomputed(lake, keys, build["as_of"], until, config, now_versions, connect)
    then = truth
    if now_versions != build["inputs"]:
        then = recomputed(lake, keys, build["as_of"], until, config, build["inputs"], connect)
    found = Findings()
    for name, view in declared_views().items():
        if name in truth:
            ids = keys[view.entity_columns[0].name]
            sides = (
                _served(store, view, ids),
                _offline(store, view, ids, until),
                as_bytes(view, alive(view, then[name])),
                as_bytes(view, alive(view, truth[name])),
            )
            found.compare(view, ids, *sides)
    return VerifyReport(
        as_of=build["as_of"],
        until=until,
        vectors=found.vectors,
        values=found.values,
        differences=found.differences,
        causes=found.causes,
        examples=found.examples,
        advice=[ADVICE[cause] for cause, count in found.causes.items() if count],
        seconds=round(time.perf_counter() - began, 3),
    )


def _served_until(store: FeatureStore) -> datetime:
    """The instant whose values the online store holds."""
    ends = [
        interval[1]
        for view in store.list_feature_views()
        if view.online
        for interval in view.materialization_intervals[-1:]
    ]
    if not ends:
        raise FeatureError(
            "expected features that are served, received none: run `aisle features apply` and "
            "`aisle features materialize`"
        )
    return max(one if one.tzinfo else one.replace(tzinfo=UTC) for one in ends)


def _drawn(keys: list[str], sample: int, random: np.random.Generator) -> pa.Array:
    places = np.sort(random.permutation(len(keys))[:sample])
    return pa.array(keys, pa.string()).take(pa.array(places))


def _served(store: FeatureStore, view: FeatureView, ids: pa.Array) -> Encoded:
    """What a look-up through Feast answers."""
    names = [one.name for one in view.features]
    column = view.entity_columns[0].name
    parts: dict[str, list[bytes]] = {name: [] for name in (KNOWN_AT, *names)}
    for start in range(0, len(ids), ONLINE_AT_ONCE):
        rows = {column: ids.slice(start, ONLINE_AT_ONCE).to_pylist()}
        with online_store_answers(store):
            proto = store.get_online_features([f"{view.name}:{name}" for name in names], rows).proto
        results = dict(zip(proto.metadata.feature_names.val, proto.results, strict=True))
        for name in names:
            parts[name] += [value.SerializeToString() for value in results[name].values]
        stamps = results[names[0]].event_timestamps
        parts[KNOWN_AT] += [stamp_bytes(one.seconds * 1_000_000 + one.nanos // 1000) for one in stamps]
    return {name: objects(values) for name, values in parts.items()}


def _offline(store: FeatureStore, view: FeatureView, ids: pa.Array, until: datetime) -> Encoded:
    """What the feature tables say, through the point-in-time join that training uses."""
    column = view.entity_columns[0].name
    frame = pd.DataFrame({column: ids.to_pandas(), "event_timestamp": until})
    job: Any = store.get_historical_features(frame, [f"{view.name}:{one.name}" for one in view.features])
    known_at = job.known_at()[f"{view.name}__{KNOWN_AT}"]
    answer = job.to_arrow().select([one.name for one in view.features]).append_column(KNOWN_AT, known_at)
    return as_bytes(view, alive(view, answer))
