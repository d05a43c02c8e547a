"""Materialization of every declared view into SQLite and Redis: ours beside Feast's own path."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from feast import FeatureStore, FeatureView, RepoConfig
from redis import Redis

from pipelines.bench.features.sides import Side, alternating, median, timed
from pipelines.bench.features.sizes import Sizes
from pipelines.bench.features.synthetic_lake import AS_OF, write_feature_tables
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.online_store import EVER
from pipelines.features.registry import feast_talks_to_people, lake_table_of, open_store
from pipelines.lake import open_lake
from pipelines.settings import Settings
from serving.features.online_store import feast_connection

INCREMENT = timedelta(days=30)
"""Window of an increment: in it a quarter of the entities have news."""


def measure(folder: Path, sizes: Sizes, runs: int, redis_url: str | None = None) -> dict[str, Any]:
    """Rows of one entity in one view for each second.

    Args:
        folder: An empty one.
        sizes: How many entities either side has.
        runs: Runs of each side.
        redis_url: An empty Redis to write to as well; it is empty again in the end.

    Returns:
        `rows rows_per_second feast_rows_per_second ratio seconds` of a full refresh of SQLite, and the same
        without `seconds` of an increment as `increment_…`; with a Redis all that of it as `redis_…`, with the
        memory that our rows took there.

    Raises:
        FeatureError: The Redis cannot be reached, or holds something.
    """
    for name, entities in (("ours", sizes.entities), ("peer", sizes.peer_entities)):
        settings = write_feature_tables(folder / name, entities)
        store.apply(settings)
    homes: dict[Side, str] = {ours: str(folder / "ours"), feast_default: str(folder / "peer")}
    result = _compared(homes, None, runs)
    if redis_url is not None:
        result |= {f"redis_{name}": value for name, value in _compared(homes, redis_url, runs).items()}
    return result


def ours(home: str, redis_url: str | None = None) -> dict[str, Any]:
    """A full refresh by `aisle features materialize`, then an increment, which writes rows once more."""
    settings = Settings(home=Path(home), lake_uri=f"{home}/lake", redis_url=redis_url)
    with _emptied(redis_url) as memory:
        whole, seconds, _ = timed(lambda: store.materialize(settings))
        taken = memory()
        part, part_seconds, _ = timed(lambda: store.materialize(settings, start=AS_OF - INCREMENT))
    return {
        "rows": whole.rows,
        "seconds": seconds,
        "rows_per_second": whole.rows / seconds,
        "increment_rows": part.rows,
        "increment_rows_per_second": part.rows / part_seconds,
        "mb": taken,
    }


def _compared(homes: Mapping[Side, str], redis_url: str | None, runs: int) -> dict[str, Any]:
    told = alternating(
        tuple(homes), {side: {"home": home, "redis_url": redis_url} for side, home in homes.items()}, runs
    )
    figures: dict[str, Any] = {}
    for part in ("", "increment_"):
        mine, peer = (median(told[side], f"{part}rows_per_second") for side in (ours, feast_default))
        figures[f"{part}rows"] = told[ours][0][f"{part}rows"]
        figures[f"{part}rows_per_second"] = round(mine)
        figures[f"feast_{part}rows_per_second"] = round(peer)
        figures[f"{part}ratio"] = round(mine / peer, 2)
    figures["seconds"] = round(median(told[ours], "seconds"), 2)
    if redis_url is not None:
        figures["mb"] = round(median(told[ours], "mb"), 1)
    return figures


@contextmanager
def _emptied(redis_url: str | None) -> Iterator[Any]:
    """A function that tells how many MB a Redis took on since it was empty; it is so again in the end."""
    if redis_url is None:
        yield lambda: None
        return
    with Redis.from_url(redis_url) as client:
        if held := client.dbsize():
            raise FeatureError(f"expected an empty Redis to measure with, received one of {held} keys")
        before = client.info("memory")["used_memory"]
        try:
            yield lambda: (client.info("memory")["used_memory"] - before) / 1e6
        finally:
            client.flushdb()


def feast_default(home: str, redis_url: str | None = None) -> dict[str, Any]:
    """The same by Feast's own `materialize` into its own store, from the same offline store."""
    settings = Settings(home=Path(home), lake_uri=f"{home}/lake")
    config = open_store(settings).config
    online_store = {"type": "sqlite", "path": f"{home}/theirs.db"}
    if redis_url is not None:
        online_store = {"type": "redis", "connection_string": feast_connection(redis_url)}
    theirs = FeatureStore(
        config=RepoConfig(
            project=config.project,
            provider="local",
            registry={"path": config.registry.path},
            online_store=online_store,
            offline_store={"type": config.offline_store.type, "lake_root": config.offline_store.lake_root},
            entity_key_serialization_version=3,
        )
    )
    Path(f"{home}/theirs.db").unlink(missing_ok=True)
    views = [view for view in theirs.list_feature_views() if view.online]
    told: dict[str, Any] = {}
    with feast_talks_to_people(), _emptied(redis_url):
        theirs._get_provider().update_infra(theirs.project, [], views, [], [], False)
        for part, start in (("", EVER), ("increment_", AS_OF - INCREMENT)):
            _, seconds, _ = timed(
                partial(theirs.materialize, start, AS_OF, feature_views=[view.name for view in views])
            )
            rows = sum(_rows_since(settings, view, start) for view in views)
            told |= {f"{part}rows": rows, f"{part}rows_per_second": rows / seconds}
    return told


def _rows_since(settings: Settings, view: FeatureView, start: datetime) -> int:
    """How many entities have news from an instant on: each has one row in a view."""
    instants = open_lake(settings).read(lake_table_of(view), ["known_at"])["known_at"]
    return int(pc.sum(pc.greater_equal(instants, start)).as_py())
