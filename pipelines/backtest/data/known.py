"""The shop as it was known before a cutoff: its vocabularies, its catalogue, its events in numbers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data.dataset import Dataset
from pipelines.errors import BacktestError
from pipelines.training.data import EncodedShop, encode_events, whole_catalogue

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
        interactions=encode_events(events, user_ids, catalogue["item_id"].combine_chunks(), event_types),
    )


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
    """Described items and those met in events, in the columns of `CATALOGUE`."""
    described = (
        pa.table({"item_id": pa.array([], pa.string())}) if items is None else items
    ).combine_chunks()
    columns = [
        described[entry.name]
        if entry.name in described.column_names
        else pa.nulls(described.num_rows, entry.type)
        for entry in CATALOGUE
    ]
    return whole_catalogue(pa.table(columns, schema=CATALOGUE), met)
