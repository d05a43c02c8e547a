"""The folder of a backtest as checked tables: events in order of user and time, items, users, test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.backtest.data.read import read_file, refuse_repeated
from pipelines.backtest.data.schema import EVENTS, ITEMS, TEST, USERS, Column
from pipelines.errors import BacktestError
from pipelines.training.data import tie_keys
from serving.bundle import NOT_HISTORY


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
    """The events by user, then time; those of one user at one instant by a hash of user, item and type.

    Neither the order of the file's rows nor that of the ids decides: in real files both tell how items are
    numbered, and leave-one-out would then ask for the item with the highest number.
    """
    users = pc.rank(events["user_id"], tiebreaker="dense").to_numpy().astype(np.int64)
    times = events["event_at"].cast(pa.int64()).to_numpy()
    ties = tie_keys(*(events[name] for name in ("user_id", "item_id", "event_type")))
    return events.take(pa.array(np.lexsort((ties, times, users)))).combine_chunks()
