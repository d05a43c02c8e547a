"""Shops of a few events for tests of baselines."""

import numpy as np
import pyarrow as pa

from pipelines.evaluation import ItemSets
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions
from pipelines.training.data.model_split import LabelledPoint, ModelSplit

DAY = 86_400
ONE_TYPE = np.array([0.0, 1.0])
FAR = 1_000 * DAY
"""An instant after all events."""


def interactions(*rows: tuple[int, int, int], types: list[int] | None = None) -> Interactions:
    """Rows of (user, item, day), ordered by user and day; the user's day is the basket."""
    order = sorted(range(len(rows)), key=lambda place: (rows[place][0], rows[place][2]))
    users, items, days = (np.array([rows[place][column] for place in order], np.int64) for column in range(3))
    kinds = [1] * len(rows) if types is None else [types[place] for place in order]
    return Interactions(
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        types=np.array(kinds, np.int32),
        times=days * DAY,
        baskets=users * 1_000 + days,
        ratings=np.full(len(rows), np.nan, np.float32),
    )


def known(
    events: Interactions, n_items: int, n_users: int | None = None, weights: np.ndarray = ONE_TYPE
) -> FitData:
    """What a baseline is fitted on, with items of which nothing but the id is known."""
    users = int(events.users.max(initial=-1)) + 1 if n_users is None else n_users
    return FitData(events, users, catalogue(n_items), weights)


def catalogue(n_items: int) -> pa.Table:
    """Items i0, i1, …"""
    return pa.table({"item_id": [f"i{place}" for place in range(n_items)]})


def sequences(*items: list[int]) -> Interactions:
    """User 0's items in order, one a day from day 1, then user 1's, …"""
    return interactions(
        *[(user, item, day) for user, row in enumerate(items) for day, item in enumerate(row, start=1)]
    )


def asking(*items: list[int], users: list[int] | None = None, at_day: int = 1_000) -> Histories:
    """Histories of these items, oldest first, one a day until the day before; by default of unknown users."""
    sizes = [len(row) for row in items]
    return Histories(
        users=np.array([-1] * len(items) if users is None else users, np.int64),
        at_s=np.full(len(items), at_day * DAY, np.int64),
        indptr=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        items=np.array([item for row in items for item in row], np.int32),
        types=np.ones(sum(sizes), np.int32),
        times=np.array(
            [(at_day - len(row) + place) * DAY for row in items for place in range(len(row))], np.int64
        ),
    )


def own(events: Interactions, *users: int) -> Histories:
    """All events of these users."""
    return Histories.of(events, np.array(users, np.int64), np.full(len(users), FAR))


def leave_one_out(
    events: Interactions, n_items: int, *, repeats: bool = False, items: pa.Table | None = None
) -> ModelSplit:
    """A trial whose validation asks every user of two events or more for the last one."""
    n_users = int(events.users.max()) + 1
    last = np.append(events.users[1:] != events.users[:-1], True)
    last &= np.bincount(events.users)[events.users] > 1
    learning = events.rows(~last)
    users = events.users[last].astype(np.int64)
    wanted = ItemSets(np.arange(len(users) + 1), events.items[last])
    validation = LabelledPoint(learning, Histories.of(learning, users, np.full(len(users), FAR)), wanted)
    shelf = catalogue(n_items) if items is None else items
    return ModelSplit(shelf, n_users, ("purchase",), ("purchase",), learning, (), validation, repeats, seed=0)
