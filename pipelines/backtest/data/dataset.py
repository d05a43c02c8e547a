"""The folder of a backtest as checked tables: events in order of user and time, items, users, test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data.read import read_file, refuse_repeated
from pipelines.backtest.data.schema import EVENTS, ITEMS, TEST, USERS, Column
from pipelines.errors import BacktestError
from serving.bundle import NOT_HISTORY

TIES_SEED = 20_230_517
"""Seed of the order among events of one user and instant where the file's own order cannot be trusted."""

TELLING_TIES = 20
"""So many ties, all ascending by item, show that the file was sorted by item and is no log."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder holds, checked."""

    name: str
    """Of the folder."""
    events: pa.Table
    """`user_id item_id event_type event_at`, `rating session_id quantity` where the file has them; by user,
    then time."""
    items: pa.Table | None
    """`item_id` and what the file says of the items, one row each."""
    users: pa.Table | None
    """`user_id` and what the file says of the users, one row each."""
    test: pa.Table | None
    """`history target`, of protocol explicit alone."""
    passed_over: int
    """Rows of impressions and searches, which say nothing of what a user did with an item."""


def read_dataset(folder: Path, *, with_test: bool = False) -> Dataset:
    """Read and check the files of a folder.

    Args:
        folder: Holds `events.parquet`, and `items.parquet` and `users.parquet` if the shop has them.
        with_test: Whether it must hold `test.parquet` too.

    Raises:
        BacktestError: A file is not what it should be; the message names it.
    """
    path = folder / "events.parquet"
    events = read_file(path, EVENTS)
    acted = pc.invert(pc.is_in(events["event_type"], pa.array(sorted(NOT_HISTORY))))
    used = events.filter(acted)
    if used.num_rows == 0:
        raise BacktestError(
            f"{path}: expected events of what users did with items, received only "
            f"{' and '.join(sorted(NOT_HISTORY))} events; add views, carts, purchases or ratings"
        )
    if nulls := used["item_id"].null_count:
        raise BacktestError(
            f"{path}: expected an item_id in every row but searches, received {nulls} nulls; "
            "leave those rows out or fill them"
        )
    return Dataset(
        name=folder.resolve().name,
        events=in_order(used),
        items=_optional(folder / "items.parquet", ITEMS, "item_id"),
        users=_optional(folder / "users.parquet", USERS, "user_id"),
        test=read_file(folder / "test.parquet", TEST) if with_test else None,
        passed_over=events.num_rows - used.num_rows,
    )


def _optional(path: Path, columns: Sequence[Column], key: str) -> pa.Table | None:
    if not path.exists():
        return None
    table = read_file(path, columns, with_others=True)
    refuse_repeated(path, table[key], key)
    return table


def in_order(events: pa.Table) -> pa.Table:
    """The events by user, then time.

    Events of one user at one instant stay as the file has them if it is a log: then the order of its rows is
    that of what happened. Where the file is not in order of time, or was sorted by item within an instant,
    its order says nothing of time but may tell how items are numbered; then a seeded hash of user, item and
    type decides.
    """
    users = pc.rank(events["user_id"], tiebreaker="dense").to_numpy().astype(np.int64)
    times = events["event_at"].cast(pa.int64()).to_numpy()
    as_written = np.lexsort((times, users))
    if _is_log(events, users, times, as_written):
        return events.take(pa.array(as_written)).combine_chunks()
    return events.take(pa.array(np.lexsort((_hashes(events, users), times, users)))).combine_chunks()


def _is_log(
    events: pa.Table, users: NDArray[np.int64], times: NDArray[np.int64], order: NDArray[np.int64]
) -> bool:
    by_user = np.argsort(users, kind="stable")
    if not np.array_equal(by_user, order):
        return False
    items = pc.rank(events["item_id"], tiebreaker="dense").to_numpy().astype(np.int64)[order]
    tied = (np.diff(users[order]) == 0) & (np.diff(times[order]) == 0) & (np.diff(items) != 0)
    ascending = np.diff(items)[tied] > 0
    return not (len(ascending) >= TELLING_TIES and bool(ascending.all()))


def _hashes(events: pa.Table, users: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for each row that depends on its user, item and type alone."""
    random = np.random.default_rng(TIES_SEED)
    mixed = np.zeros(len(users), np.uint64)
    for column in ("user_id", "item_id", "event_type"):
        codes = pc.rank(events[column], tiebreaker="dense").to_numpy().astype(np.int64)
        table = random.integers(0, 2**63, int(codes.max()) + 1, dtype=np.uint64)
        mixed = (mixed ^ table[codes]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
