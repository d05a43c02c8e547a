"""The shop as it was known before a cutoff: its vocabularies, its catalogue, its events in numbers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data.dataset import Dataset
from pipelines.errors import BacktestError
from pipelines.training.data import CATALOGUE_SEED, EncodedShop, Interactions

CATALOGUE = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("price", pa.float64()),
        ("attributes", pa.list_(pa.string())),
    ]
)
"""Columns of every catalogue; null where the shop says nothing."""

DAY_S = 86_400


def known_shop(
    dataset: Dataset, known: NDArray[np.bool_], target_types: Sequence[str] | None = None
) -> EncodedShop:
    """The shop in numbers from the events in the mask `known` `[E]` and the shop's own item file.

    An item whose first event lies after the cutoff is in the catalogue only if the item file has it. Row i of
    the interactions is the i-th known event.

    Args:
        dataset: The whole data set; of its events, nothing outside the mask is looked at.
        known: Which events lie before the cutoff.
        target_types: Event types that count as success; all that are known, if left out.
    """
    events = dataset.events.filter(pa.array(known)).combine_chunks()
    if events.num_rows == 0:
        raise BacktestError(
            f"{dataset.name}: expected events before the cutoff, received none; backtest a longer history"
        )
    user_ids = pc.unique(events["user_id"].combine_chunks()).sort()
    event_types = tuple(sorted(pc.unique(events["event_type"]).to_pylist()))
    catalogue = _catalogue(dataset.items, events["item_id"])
    return EncodedShop(
        user_ids=user_ids,
        catalogue=catalogue,
        event_types=event_types,
        target_types=_targets(dataset.name, event_types, target_types),
        interactions=_interactions(events, user_ids, catalogue["item_id"].combine_chunks(), event_types),
    )


def positions(values: pa.ChunkedArray | pa.Array, among: pa.Array) -> NDArray[np.int64]:
    """Position of each value `[n]` among the distinct ones, -1 where it is not there."""
    found = pc.index_in(values, value_set=among)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def seconds(instants: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole unix seconds of the instants, rounded down."""
    return np.asarray(instants.cast(pa.int64()).to_numpy() // 1_000_000, np.int64)


def _targets(name: str, event_types: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return tuple(event_types)
    if unknown := sorted(set(wanted) - set(event_types)):
        raise BacktestError(
            f"{name}: expected target types out of {', '.join(event_types)}, the types of the events before "
            f"the cutoff, received {', '.join(unknown)}"
        )
    return tuple(sorted(set(wanted)))


def _catalogue(items: pa.Table | None, met: pa.ChunkedArray) -> pa.Table:
    """Described items and those met in events, in a seeded order that does not tell when one was new."""
    described = (
        pa.table({"item_id": pa.array([], pa.string())}) if items is None else items
    ).combine_chunks()
    columns = [
        described[entry.name]
        if entry.name in described.column_names
        else pa.nulls(described.num_rows, entry.type)
        for entry in CATALOGUE
    ]
    table = pa.table(columns, schema=CATALOGUE)
    ids = pc.unique(met.combine_chunks())
    bare = ids.filter(pc.invert(pc.is_in(ids, value_set=table["item_id"].combine_chunks())))
    rest = [pa.nulls(len(bare), entry.type) for entry in CATALOGUE][1:]
    table = pa.concat_tables([table, pa.table([bare, *rest], schema=CATALOGUE)]).sort_by("item_id")
    shuffled = np.random.default_rng(CATALOGUE_SEED).permutation(table.num_rows)
    return table.take(pa.array(shuffled)).combine_chunks()


def _interactions(
    events: pa.Table, user_ids: pa.Array, item_ids: pa.Array, event_types: Sequence[str]
) -> Interactions:
    users = positions(events["user_id"], user_ids)
    times = seconds(events["event_at"])
    visits = pa.array(times // DAY_S).cast(pa.string())
    if "session_id" in events.column_names:
        visits = pc.if_else(pc.is_valid(events["session_id"]), events["session_id"], visits)
    keys = pc.binary_join_element_wise(events["user_id"], visits, "\x1f")
    ratings = np.full(len(users), np.nan, np.float32)
    if "rating" in events.column_names:
        ratings = events["rating"].to_numpy().astype(np.float32)
    return Interactions(
        users=users.astype(np.int32),
        items=positions(events["item_id"], item_ids).astype(np.int32),
        types=positions(events["event_type"], pa.array(event_types)).astype(np.int32) + 1,
        times=times,
        baskets=pc.rank(keys, tiebreaker="dense").to_numpy().astype(np.int64),
        ratings=ratings,
    )
