"""Feature rows of a few entities, computed anew from the events: what the store is checked against."""

from collections.abc import Mapping
from datetime import datetime

import ibis.expr.schema as sch
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.features.build import feature_tables
from pipelines.features.engines import Connect, Engine, duckdb_engine
from pipelines.features.registry import declared_views, lake_schema_of
from pipelines.features.transforms import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    FeatureConfig,
    FeatureInputs,
    known_shop,
)
from pipelines.lake import Lake

WHOLE = frozenset({"item_pairs"})
"""Views whose values depend on the events of all entities; all others on an entity's own events alone."""

KEY_TABLES = {"user_id": ("events", "users"), "item_id": ("events", "items")}
"""Where the lake names entities."""


def known_keys(lake: Lake, column: str, connect: Connect = duckdb_engine) -> list[str]:
    """Every entity that the lake names, sorted."""
    columns = {"events": EVENT_COLUMNS, "items": ITEM_COLUMNS, "users": USER_COLUMNS}
    with connect() as ours:
        tables = [ours.table(lake, name, columns[name]).select(column) for name in KEY_TABLES[column]]
        every = tables[0].union(*tables[1:]).distinct()
        every = every.filter(every[column].notnull())
        found = ours.rows(every, pa.schema([(column, pa.string())])).read_all()
    return sorted(found[column].to_pylist())


def recomputed(
    lake: Lake,
    keys: Mapping[str, pa.Array],
    as_of: datetime,
    until: datetime,
    config: FeatureConfig,
    versions: Mapping[str, int],
    connect: Connect = duckdb_engine,
) -> dict[str, pa.Table]:
    """Return what was known of entities at an instant, computed from the events by today's code.

    Args:
        lake: Where the events are.
        keys: Ids by join key, `user_id` or `item_id`.
        as_of: Exclusive cutoff of the events.
        until: Instant at which the values were known.
        config: Choices behind the features.
        versions: Versions of the tables `events`, `items` and `users`.
        connect: Opens the engine that computes them.

    Returns:
        By view, one row for each of its keys, in order: `known_at` and the features, null where nothing is
        known.
    """
    computed = feature_tables(config)
    answer: dict[str, pa.Table] = {}
    with connect() as ours:
        of_all = _shop(ours, lake, as_of, config, versions) if WHOLE & _views_of(keys) else None
        for column, ids in keys.items():
            of_few = _shop(ours, lake, as_of, config, versions, column, ids)
            for name, view in declared_views().items():
                if not view.online or view.entity_columns[0].name != column:
                    continue
                shop = of_all if name in WHOLE and of_all is not None else of_few
                schema = lake_schema_of(view)
                table = computed[name](shop).select(*schema.names).cast(sch.Schema.from_pyarrow(schema))
                rows = ours.rows(table, schema).read_all()
                answer[name] = in_order(newest(rows, column, until), column, ids)
    return answer


def newest(rows: pa.Table, key: str, until: datetime) -> pa.Table:
    """The newest row of every key that was known at an instant."""
    known = rows.filter(pc.less_equal(rows["known_at"], pa.scalar(until, rows["known_at"].type)))
    known = known.sort_by([(key, "ascending"), ("known_at", "ascending")])
    ids = known[key].to_numpy()
    last = np.append(ids[1:] != ids[:-1], True) if len(ids) else np.zeros(0, bool)
    return known.filter(pa.array(last))


def in_order(rows: pa.Table, key: str, ids: pa.Array) -> pa.Table:
    """One row for each id, in their order, nulls where there is none; without the key."""
    places = pc.index_in(ids, value_set=rows[key].combine_chunks())
    return rows.drop_columns([key]).take(places)


def _views_of(keys: Mapping[str, pa.Array]) -> set[str]:
    return {name for name, view in declared_views().items() if view.entity_columns[0].name in keys}


def _shop(
    ours: Engine,
    lake: Lake,
    as_of: datetime,
    config: FeatureConfig,
    versions: Mapping[str, int],
    column: str | None = None,
    ids: pa.Array | None = None,
) -> FeatureInputs:
    """The shop, or what it knows of a few users or items; the catalogue stays whole."""
    events = ours.table(lake, "events", EVENT_COLUMNS, versions["events"])
    items = ours.table(lake, "items", ITEM_COLUMNS, versions["items"])
    users = ours.table(lake, "users", USER_COLUMNS, versions["users"])
    if column is not None:
        wanted = ours.given(pa.table({column: ids}))
        events = events.semi_join(wanted, column)
        users = users.semi_join(wanted, column) if column == "user_id" else users.limit(0)
        items = items.semi_join(wanted, column) if column == "item_id" else items
    return known_shop(events, items, users, as_of, config.span_days, ours.keep)
