"""Building features: from the lake's events, items and users to one lake table for each feature view."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import ibis.expr.schema as sch
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from ibis.common.exceptions import IbisError
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.engines import Connect, Engine, duckdb_engine
from pipelines.features.registry import (
    declared_views,
    lake_schema_of,
    lake_table_of,
    last_build,
    remember_build,
)
from pipelines.features.transforms import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    FeatureConfig,
    FeatureInputs,
    item_pairs,
    item_profile,
    known_shop,
    part_of_users,
    start_of,
    user_affinity,
    user_category,
    user_profile,
)
from pipelines.features.transforms.item_activity import item_activity
from pipelines.features.transforms.user_activity import user_activity
from pipelines.features.transforms.user_history import user_history
from pipelines.lake import Lake, horizon_of

LOG = logging.getLogger(__name__)

__all__ = ["FeatureReport", "build_features", "default_as_of", "feature_tables", "last_build"]


class FeatureReport(BaseModel):
    """What a build of the feature tables did."""

    model_config = ConfigDict(frozen=True)

    as_of: datetime
    """Exclusive: no event at or after this instant is in the features."""

    known_from: datetime
    """First instant for which features as known then can be asked for."""

    tables: dict[str, int]
    """Rows of each feature table."""

    rows: int
    """Rows of all feature tables."""

    later_states: dict[str, int]
    """By lake table: states of items or users that were left out since they hold from `as_of` on or later. A
    release shows the newest state of an item all the same."""

    seconds: float
    """How long the build took."""

    inputs: dict[str, int]
    """Versions of the lake tables that were read."""

    versions: dict[str, int]
    """Versions of the feature tables that were written."""


def default_as_of(lake: Lake) -> datetime:
    """The instant after the newest event of the lake that is not far away from the others.

    It is that event's whole second, and one second more.
    """
    horizon = horizon_of(lake)
    if horizon is None:
        raise FeatureError("expected events in the lake, received none: run `aisle ingest` first")
    if (warning := horizon.warning()) is not None:
        LOG.warning(warning)
    return horizon.as_of


def _with_events_before(lake: Lake, as_of: datetime) -> datetime:
    """The cutoff, if there is anything before it: tables without rows would replace what is known."""
    if not lake.dataset("events").head(1, filter=pc.field("event_at") < as_of).num_rows:
        raise FeatureError(
            f"expected events before {as_of.isoformat()}, received none: give a later instant, or ingest "
            "older events"
        )
    return as_of


def later_states(lake: Lake, as_of: datetime, versions: Mapping[str, int]) -> dict[str, int]:
    """By lake table, how many states hold from `as_of` on or later and are not the first of their key."""
    return {
        table: _later_states(lake.dataset(table, versions[table]), key, as_of)
        for table, key in (("items", "item_id"), ("users", "user_id"))
    }


def _later_states(states: pads.Dataset, key: str, as_of: datetime) -> int:
    later = states.to_table(columns=[key], filter=pc.field("updated_at") >= as_of)[key]
    if not len(later):
        return 0
    met = states.to_table(columns=[key], filter=pc.field("updated_at") < as_of)[key]
    # The first state of a key that has no earlier one is in the features, from the beginning.
    first = pc.invert(pc.is_in(pc.unique(later), value_set=pc.unique(met)))
    return len(later) - int(pc.sum(first).as_py())


def feature_tables(config: FeatureConfig) -> dict[str, Callable[[FeatureInputs], ir.Table]]:
    """How the table of each feature view is computed."""
    return {**user_tables(config), **item_tables(config)}


def user_tables(config: FeatureConfig) -> dict[str, Callable[[FeatureInputs], ir.Table]]:
    """The tables each of whose rows depends on the events of one user alone."""
    return {
        "user_activity": user_activity,
        "user_history": partial(user_history, config=config),
        "user_profile": user_profile,
        "user_affinity": partial(user_affinity, config=config),
        "user_category": partial(user_category, config=config),
    }


def item_tables(config: FeatureConfig) -> dict[str, Callable[[FeatureInputs], ir.Table]]:
    """The tables each of whose rows depends on the events of many users."""
    return {
        "item_activity": item_activity,
        "item_profile": item_profile,
        "item_pairs": partial(item_pairs, config=config),
    }


def build_features(
    lake: Lake,
    as_of: datetime | None = None,
    config: FeatureConfig | None = None,
    on_table: Callable[[str, int], None] | None = None,
    connect: Connect = duckdb_engine,
) -> FeatureReport:
    """Compute every feature table from the lake, and replace it whole; the same input gives the same rows.

    Args:
        lake: Where events, items and users are read and feature tables are written.
        as_of: Exclusive cutoff; by default just after the newest event.
        config: Choices behind the features.
        on_table: Told the name and rows of each table when it is done.
        connect: Opens the engine that computes them.

    Raises:
        FeatureError: There is nothing to build from, or an expression failed.
    """
    started = time.perf_counter()
    config = config or FeatureConfig()
    as_of = default_as_of(lake) if as_of is None else _with_events_before(lake, as_of.astimezone(UTC))
    inputs = {name: lake.version(name) for name in ("events", "items", "users")}
    views = declared_views()
    rows: dict[str, int] = {}
    try:
        with connect() as ours:
            shop = known_shop(
                ours.table(lake, "events", EVENT_COLUMNS, inputs["events"]),
                ours.table(lake, "items", ITEM_COLUMNS, inputs["items"]),
                ours.table(lake, "users", USER_COLUMNS, inputs["users"]),
                as_of=as_of,
                span_days=config.span_days,
                keep=ours.keep,
            )
            parts = ours.parts(lake.dataset("events", inputs["events"]).count_rows())
            of_users = [part_of_users(shop, part, parts) for part in range(parts)]
            for name, compute in feature_tables(config).items():
                schema = lake_schema_of(views[name])
                shops = of_users if name in user_tables(config) else [shop]
                stream = CountingStream(_rows(ours, compute, shops, schema))
                rows[name] = stream.write(lake, lake_table_of(views[name]), schema)
                if on_table is not None:
                    on_table(name, rows[name])
    except IbisError as error:
        raise FeatureError(f"features as of {as_of.isoformat()} could not be computed: {error}") from error
    versions = {name: lake.version(lake_table_of(views[name])) for name in rows}
    known_from = start_of(shop.span.from_day)
    remember_build(lake, as_of=as_of, known_from=known_from, config=config, inputs=inputs, versions=versions)
    later = later_states(lake, as_of, inputs)
    if any(later.values()):
        LOG.warning(
            "%s hold from %s on or later: features leave them out until events follow; a release shows the "
            "newest state of each item all the same",
            " and ".join(f"{count:,} states of {table}" for table, count in later.items() if count),
            as_of.isoformat(),
        )
    return FeatureReport(
        as_of=as_of,
        known_from=known_from,
        tables=rows,
        rows=sum(rows.values()),
        later_states=later,
        seconds=round(time.perf_counter() - started, 3),
        inputs=inputs,
        versions=versions,
    )


def _rows(
    ours: Engine,
    compute: Callable[[FeatureInputs], ir.Table],
    shops: Sequence[FeatureInputs],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """The rows of one feature table, computed for one part of the shop after the other."""
    for shop in shops:
        with ours.passing():
            table = compute(shop).select(*schema.names).cast(sch.Schema.from_pyarrow(schema))
            yield from ours.rows(table, schema)


class CountingStream:
    """Rows on their way into the lake: how many have passed, and what went wrong while they were made."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches, self._rows = batches, 0
        self._failure: Exception | None = None

    def write(self, lake: Lake, table: str, schema: pa.Schema) -> int:
        """Replace the table, and return its rows.

        What fails while rows are made comes out of the writer as a text, so it is kept and raised here.
        """
        try:
            lake.replace(table, pa.RecordBatchReader.from_batches(schema, self._passing()))
        except Exception:
            if self._failure is not None:
                raise self._failure from None
            raise
        return self._rows

    def _passing(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self._rows += batch.num_rows
                yield batch
        except Exception as error:
            self._failure = error
            raise
