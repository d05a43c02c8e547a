"""Materialization of every declared view: ours into SQLite and Redis, beside Feast's default path."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import FeatureStore, RepoConfig
from redis import Redis

from pipelines.bench.features.sides import alternating, median, timed
from pipelines.bench.features.sizes import Sizes
from pipelines.bench.features.synthetic_lake import AS_OF, write_feature_tables
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.feast_repo import feast_talks_to_people, open_store
from pipelines.features.materialization import EVER
from pipelines.settings import Settings

OURS, PEER = (f"pipelines.bench.features.materializing:{side}" for side in ("ours", "feast_default"))


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
        `rows rows_per_second feast_rows_per_second ratio` of a full refresh of SQLite, `increment_…` of an
        increment, and with a Redis the same of that as `redis_…`, with the memory that the rows took there.

    Raises:
        FeatureError: The Redis cannot be reached, or holds something.
    """
    for name, entities in (("ours", sizes.entities), ("peer", sizes.peer_entities)):
        settings = write_feature_tables(folder / name, entities)
        store.apply(settings)
    arguments = {OURS: {"home": str(folder / "ours")}, PEER: {"home": str(folder / "peer")}}
    told = alternating((OURS, PEER), arguments, runs)
    mine, peer = (median(told[side], "rows_per_second") for side in (OURS, PEER))
    figures = _told(told[OURS])
    result = {
        "rows": figures.pop("rows"),
        "rows_per_second": figures.pop("rows_per_second"),
        "feast_rows_per_second": round(peer),
        "ratio": round(mine / peer, 2),
        **figures,
    }
    if redis_url is not None:
        in_redis = {OURS: {**arguments[OURS], "redis_url": redis_url}}
        result |= {
            f"redis_{name}": value
            for name, value in _told(alternating((OURS,), in_redis, runs)[OURS]).items()
        }
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


def _told(runs: list[dict[str, Any]]) -> dict[str, Any]:
    told = {
        "rows": runs[0]["rows"],
        "seconds": round(median(runs, "seconds"), 2),
        "rows_per_second": round(median(runs, "rows_per_second")),
        "increment_rows": runs[0]["increment_rows"],
        "increment_rows_per_second": round(median(runs, "increment_rows_per_second")),
    }
    return told if runs[0]["mb"] is None else {**told, "mb": round(median(runs, "mb"), 1)}


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


def feast_default(home: str) -> dict[str, Any]:
    """A full refresh by Feast's own `materialize` into its SQLite store, from the same offline store."""
    settings = Settings(home=Path(home), lake_uri=f"{home}/lake")
    config = open_store(settings).config
    theirs = FeatureStore(
        config=RepoConfig(
            project=config.project,
            provider="local",
            registry={"path": config.registry.path},
            online_store={"type": "sqlite", "path": f"{home}/theirs.db"},
            offline_store={"type": config.offline_store.type, "lake_root": config.offline_store.lake_root},
            entity_key_serialization_version=3,
        )
    )
    Path(f"{home}/theirs.db").unlink(missing_ok=True)
    views = [view for view in theirs.list_feature_views() if view.online]
    with feast_talks_to_people():
        theirs._get_provider().update_infra(theirs.project, [], views, [], [], False)
        _, seconds, _ = timed(
            lambda: theirs.materialize(EVER, AS_OF, feature_views=[view.name for view in views])
        )
    rows = len(views) * _entities(settings)
    return {"rows": rows, "rows_per_second": rows / seconds}


def _entities(settings: Settings) -> int:
    from pipelines.lake import open_lake

    return int(open_lake(settings).read("features_user_profile", ["user_id"]).num_rows)
