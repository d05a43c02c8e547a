"""The shop in numbers: events as arrays of user, item, type and time, and the catalogue they point into."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import TrainingError
from pipelines.lake import Lake, main_days
from pipelines.training.data.tie_order import tie_keys
from serving.bundle import NOT_HISTORY

TARGETS = ("purchase", "cart", "rating", "view")
"""Event types that can mean success, strongest first."""

EVENT_COLUMNS = ("event_id", "event_at", "user_id", "session_id", "event_type", "item_id", "rating")

DAY_S = 86_400

CATALOGUE_SEED = 20_170_101
"""Seed of the catalogue's order, which must say nothing about when an item first appeared."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """What users did with items, ordered by user, then time; E rows."""

    users: npt.NDArray[np.int32]
    """[E] rows of the shop's users."""
    items: npt.NDArray[np.int32]
    """[E] item indices."""
    types: npt.NDArray[np.int32]
    """[E] 1-based codes into `EncodedShop.event_types`."""
    times: npt.NDArray[np.int64]
    """[E] unix seconds."""
    baskets: npt.NDArray[np.int64]
    """[E] rows of one visit share a number; without sessions, a visit is a user's day."""
    ratings: npt.NDArray[np.float32]
    """[E] NaN where the event is no rating."""

    def __len__(self) -> int:
        return len(self.users)

    def rows(self, chosen: npt.NDArray[Any]) -> Self:
        """Some of the rows, by mask or ascending index, so that the order stays."""
        return type(self)(**{entry.name: getattr(self, entry.name)[chosen] for entry in fields(self)})

    def before(self, at: datetime) -> Self:
        """The rows before the instant (exclusive)."""
        return self.rows(self.times < at.timestamp())

    def between(self, starts_at: datetime, ends_at: datetime) -> Self:
        """The rows from `starts_at` (inclusive) to `ends_at` (exclusive)."""
        return self.rows((self.times >= starts_at.timestamp()) & (self.times < ends_at.timestamp()))


@dataclass(frozen=True, slots=True)
class EncodedShop:
    """What was known of a shop before `as_of`."""

    user_ids: pa.StringArray
    """Users with at least one interaction, ascending."""
    catalogue: pa.Table
    """The state of every item, in the bundle's columns; row i is item index i."""
    event_types: tuple[str, ...]
    """Types of the interactions, ascending."""
    target_types: tuple[str, ...]
    """Types that mean success."""
    interactions: Interactions

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.catalogue.num_rows)

    @property
    def target_codes(self) -> npt.NDArray[np.int32]:
        """1-based codes of the target types."""
        return np.array([self.event_types.index(name) + 1 for name in self.target_types], np.int32)


def read_shop(lake: Lake, as_of: datetime, target_types: Sequence[str] | None = None) -> EncodedShop:
    """The shop as the lake knew it before `as_of`.

    Items that were met in events but never described are part of the catalogue, by their id alone. Events
    far away from all others are left out, as they are of the default cutoff of features.

    Raises:
        TrainingError: No interaction lies before `as_of`, or none is of a target type.
    """
    cutoff = pa.scalar(as_of, pa.timestamp("us", tz="UTC"))
    usable = (pc.field("event_at") < cutoff) & pc.field("item_id").is_valid()
    usable &= ~pc.field("event_type").isin(sorted(NOT_HISTORY))
    events = lake.dataset("events").to_table(columns=list(EVENT_COLUMNS), filter=usable)
    if events.num_rows == 0:
        raise TrainingError(
            f"expected interactions with items before {as_of.isoformat()}, received none; "
            "ingest shop data first, or choose a later as_of"
        )
    events = _without_far_ones(events)
    event_types = tuple(sorted(pc.unique(events.column("event_type")).to_pylist()))
    user_ids = pc.unique(events.column("user_id")).sort()
    catalogue = _catalogue(lake, events, cutoff)
    return EncodedShop(
        user_ids=user_ids,
        catalogue=catalogue,
        event_types=event_types,
        target_types=_targets(event_types, target_types),
        interactions=encode_events(
            _in_order(events, user_ids), user_ids, catalogue.column("item_id").combine_chunks(), event_types
        ),
    )


def _without_far_ones(events: pa.Table) -> pa.Table:
    """The events of the shop's main span; see `pipelines.lake.horizon`."""
    day_of = (events.column("event_at").cast(pa.int64()).to_numpy() // 1_000_000) // DAY_S
    days, counts = np.unique(day_of, return_counts=True)
    first, last = main_days(days, counts)
    inside = (day_of >= first) & (day_of <= last)
    return events if inside.all() else events.filter(pa.array(inside))


def newest_items(lake: Lake) -> pa.Table | None:
    """The newest state of each item, whatever its date, by item id; None where the shop describes none."""
    return states_at(lake.read("items"), None) if lake.exists("items") else None


def states_at(states: pa.Table, cutoff: pa.Scalar | None) -> pa.Table:
    """One row for each item: its newest state before the cutoff, or the first one where all came later.

    Without a cutoff it is the newest of all. Rows are in the order of item ids, without `updated_at`.
    """
    ordered = states.sort_by([("item_id", "ascending"), ("updated_at", "ascending")])
    if ordered.num_rows == 0:
        return ordered.drop_columns(["updated_at"])
    ids = ordered.column("item_id").combine_chunks()
    is_first = np.append(True, pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False))
    known = np.ones(len(ids), bool)
    if cutoff is not None:
        known = pc.less(ordered.column("updated_at"), cutoff).to_numpy()
    known |= is_first
    rows = np.flatnonzero(known)
    is_last = np.append(pc.not_equal(ids.take(rows[1:]), ids.take(rows[:-1])).to_numpy(False), True)
    return ordered.take(pa.array(rows[is_last])).drop_columns(["updated_at"])


def _targets(event_types: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        wanted = next(([name] for name in TARGETS if name in event_types), event_types[:1])
    if unknown := sorted(set(wanted) - set(event_types)):
        raise TrainingError(
            f"expected target types out of the shop's {', '.join(event_types)}, received {', '.join(unknown)}"
        )
    return tuple(wanted)


def _in_order(events: pa.Table, user_ids: pa.Array) -> pa.Table:
    """The events by user, then time, those of one instant in an order that tells nothing."""
    users = pc.index_in(events.column("user_id"), value_set=user_ids).to_numpy()
    ties = tie_keys(events.column("event_id"))
    order = np.lexsort((ties, events.column("event_at").cast(pa.int64()).to_numpy(), users))
    return events.take(pa.array(order))


def encode_events(
    events: pa.Table, user_ids: pa.Array, item_ids: pa.Array, event_types: Sequence[str]
) -> Interactions:
    """Events in numbers, row by row; releases and backtests read theirs by this function.

    Args:
        events: `user_id item_id event_type event_at`, and `session_id` and `rating` where they are known; by
            user, then time.
        user_ids: Every user of the events, distinct; a user's number is the place in it.
        item_ids: Every item of the events, distinct.
        event_types: Every type of the events; a type's code is its 1-based place.
    """
    times = pc.divide(events.column("event_at").cast(pa.int64()), 1_000_000).to_numpy()
    visits = pc.binary_join_element_wise("day", pa.array(times // DAY_S).cast(pa.string()), "-")
    if "session_id" in events.column_names:
        visits = pc.fill_null(events.column("session_id"), visits)
    keys = pc.binary_join_element_wise(events.column("user_id"), visits, "\x1f")
    ratings = np.full(events.num_rows, np.nan, np.float32)
    if "rating" in events.column_names:
        ratings = events.column("rating").to_numpy().astype(np.float32)

    def places(column: str, among: pa.Array) -> npt.NDArray[np.int32]:
        found = pc.index_in(events.column(column), value_set=among)
        return np.asarray(found.to_numpy(), np.int32)

    return Interactions(
        users=places("user_id", user_ids),
        items=places("item_id", item_ids),
        types=places("event_type", pa.array(event_types, pa.string())) + np.int32(1),
        times=times,
        baskets=pc.rank(keys, tiebreaker="dense").to_numpy().astype(np.int64),
        ratings=ratings,
    )


def whole_catalogue(described: pa.Table, met: pa.ChunkedArray) -> pa.Table:
    """Described items, and those met in events alone, of which nothing but the id is known.

    Args:
        described: `item_id` and what is known of the items, one row each.
        met: Ids of the events' items.

    Returns:
        One row for each item, in a seeded order that says nothing about when an item was new.
    """
    described = described.cast(pa.schema([field.with_nullable(True) for field in described.schema]))
    ids = pc.unique(met).drop_null()
    bare = ids.filter(pc.invert(pc.is_in(ids, value_set=described.column("item_id").combine_chunks())))
    table = pa.concat_tables([described, pa.table({"item_id": bare})], promote_options="default")
    ordered = table.sort_by("item_id")
    shuffled = np.random.default_rng(CATALOGUE_SEED).permutation(ordered.num_rows)
    return ordered.take(pa.array(shuffled)).combine_chunks()


def _catalogue(lake: Lake, events: pa.Table, cutoff: pa.Scalar) -> pa.Table:
    """The state of each described item and the bare ids of the others, in a seeded order."""
    if lake.exists("items"):
        described = states_at(lake.read("items"), cutoff)
    else:
        nothing = pa.array([], pa.string())
        described = pa.table({"item_id": nothing, "title": nothing})
    return whole_catalogue(described, events.column("item_id"))
