"""Materialization of every declared view into SQLite: ours beside Feast's default path."""

from pathlib import Path
from typing import Any

from feast import FeatureStore, RepoConfig

from pipelines.bench.features.sides import alternating, median, timed
from pipelines.bench.features.sizes import Sizes
from pipelines.bench.features.synthetic_lake import AS_OF, write_feature_tables
from pipelines.features import store
from pipelines.features.feast_repo import feast_talks_to_people, open_store
from pipelines.features.materialization import EVER
from pipelines.settings import Settings

OURS, PEER = (f"pipelines.bench.features.materializing:{side}" for side in ("ours", "feast_default"))


def measure(folder: Path, sizes: Sizes, runs: int) -> dict[str, Any]:
    """`rows rows_per_second feast_rows_per_second ratio`, in rows of one entity in one view."""
    for name, entities in (("ours", sizes.entities), ("peer", sizes.peer_entities)):
        settings = write_feature_tables(folder / name, entities)
        store.apply(settings)
    arguments = {OURS: {"home": str(folder / "ours")}, PEER: {"home": str(folder / "peer")}}
    told = alternating((OURS, PEER), arguments, runs)
    mine, peer = (median(told[side], "rows_per_second") for side in (OURS, PEER))
    return {
        "rows": told[OURS][0]["rows"],
        "rows_per_second": round(mine),
        "feast_rows_per_second": round(peer),
        "ratio": round(mine / peer, 2),
    }


def ours(home: str) -> dict[str, Any]:
    """A full refresh by `aisle features materialize`."""
    settings = Settings(home=Path(home), lake_uri=f"{home}/lake")
    report, seconds, _ = timed(lambda: store.materialize(settings))
    return {"rows": report.rows, "rows_per_second": report.rows / seconds}


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
