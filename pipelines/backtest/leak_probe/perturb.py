"""Changing all that lies after a cutoff, in ways that a model which sees any of it must notice."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data import Dataset
from pipelines.backtest.protocols import Cutoff

UNHEARD_OF = "~unheard-of"
"""Beginning of ids and types that no shop has."""

DAY_US = 86_400_000_000

Perturbation = Callable[[Dataset, Cutoff, np.random.Generator], tuple[Dataset, Cutoff]]


def unchanged(dataset: Dataset, cut: Cutoff, random: np.random.Generator) -> tuple[Dataset, Cutoff]:
    """Everything as it was: what differs now cannot be repeated, and says nothing about leaks."""
    del random
    return dataset, cut


def shuffled(dataset: Dataset, cut: Cutoff, random: np.random.Generator) -> tuple[Dataset, Cutoff]:
    """What came after the cutoff, dealt out anew among those whom it came to."""
    later = np.flatnonzero(~cut.known)
    order = np.arange(len(cut.known))
    order[later] = random.permutation(later)
    events = dataset.events
    for name in set(events.column_names) - {"user_id", "event_at"}:
        events = _with(events, name, events[name].take(pa.array(order)))
    test = dataset.test
    if test is not None:
        test = _with(test, "target", test["target"].take(pa.array(random.permutation(test.num_rows))))
    return replace(dataset, events=events, test=test), cut


def replaced(dataset: Dataset, cut: Cutoff, random: np.random.Generator) -> tuple[Dataset, Cutoff]:
    """Other items, some never heard of, of other types, ratings and times, and partly by new users."""
    later = ~cut.known
    n = len(later)
    items = pc.unique(dataset.events["item_id"].combine_chunks())
    events = dataset.events
    drawn = _drawn_ids(items, n, random)
    events = _with(events, "item_id", _where(later, drawn, events["item_id"]))
    kinds = pa.array([f"{UNHEARD_OF}-type", "purchase"]).take(pa.array(random.integers(0, 2, n)))
    events = _with(events, "event_type", _where(later, kinds, events["event_type"]))
    shifts = pa.array(random.integers(0, 300 * DAY_US, n) * later)
    moved = pc.add(events["event_at"].cast(pa.int64()), shifts).cast(events["event_at"].type)
    events = _with(events, "event_at", moved)
    if "rating" in events.column_names:
        events = _with(events, "rating", _where(later, pa.array(random.uniform(0, 100, n)), events["rating"]))
    if cut.users is None:
        users = _drawn_ids(pc.unique(events["user_id"].combine_chunks()), n, random)
        events = _with(events, "user_id", _where(later, users, events["user_id"]))
    test = dataset.test
    if test is not None:
        test = _with(test, "target", _drawn_ids(items, test.num_rows, random))
    return replace(dataset, events=events, test=test), cut


def deleted(dataset: Dataset, cut: Cutoff, random: np.random.Generator) -> tuple[Dataset, Cutoff]:
    """Nothing after the cutoff; targets of test rows are empty."""
    del random
    events, test = dataset.events.filter(pa.array(cut.known)), dataset.test
    if test is not None:
        test = _with(test, "target", pa.array([""] * test.num_rows))
    return replace(dataset, events=events, test=test), replace(cut, known=np.ones(events.num_rows, bool))


PERTURBATIONS: Mapping[str, Perturbation] = {
    "unchanged": unchanged,
    "shuffled": shuffled,
    "replaced": replaced,
    "deleted": deleted,
}


def _with(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _where(mask: NDArray[np.bool_], values: pa.Array, others: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pa.array(mask), values, others)


def _drawn_ids(ids: pa.Array, n: int, random: np.random.Generator) -> pa.Array:
    """[n] drawn ids, a third of them never heard of."""
    unheard = pa.array([f"{UNHEARD_OF}-{number}" for number in range(max(1, len(ids) // 2))])
    return pa.concat_arrays([ids, unheard]).take(pa.array(random.integers(0, len(ids) + len(unheard), n)))
