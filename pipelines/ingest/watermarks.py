"""How far each source has been read, kept in the lake itself. Positions only ever grow."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from pipelines.ingest.batch import Position
from pipelines.lake import SCHEMAS, Lake


def recall(lake: Lake, source: str) -> dict[str, int]:
    """How far each part of the source has been read; parts that never were are left out."""
    if not lake.exists("ingest_state"):
        return {}
    state = pl.DataFrame(lake.read("ingest_state")).filter(pl.col("source") == source)
    furthest = state.group_by("part").agg(pl.col("position").max())
    return dict(furthest.select("part", "position").iter_rows())


def remember(lake: Lake, positions: Sequence[Position], now: datetime) -> None:
    """Keep the positions that are further than what is known; called once their rows are stored."""
    known = {source: recall(lake, source) for source in {each.source for each in positions}}
    further = [each for each in positions if each.position > known[each.source].get(each.part, -1)]
    if further:
        rows = pl.DataFrame(
            {
                "source": [each.source for each in further],
                "part": [each.part for each in further],
                "position": [each.position for each in further],
                "updated_at": [now] * len(further),
            }
        )
        lake.append_new("ingest_state", rows.to_arrow().cast(SCHEMAS["ingest_state"]))
