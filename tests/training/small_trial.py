"""Trials of a shop whose shoppers go in a circle: after item i comes item i + 1, now and then another."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.evaluation import ItemSets
from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions
from pipelines.training.data.model_split import EvaluationPoint, LabelledPoint, ModelSplit

DAY_S = 86_400
N_ITEMS, N_USERS, N_EVENTS = 120, 240, 9


def interactions(rows: Sequence[tuple[int, int, int]], types: Sequence[int] | None = None) -> Interactions:
    """Rows of (user, item, unix seconds), given by user and time; all of the first type unless told."""
    users, items, times = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Interactions(
        users=np.array(users, np.int32),
        items=np.array(items, np.int32),
        types=np.ones(len(rows), np.int32) if types is None else np.array(types, np.int32),
        times=np.array(times, np.int64),
        baskets=np.arange(len(rows), dtype=np.int64),
        ratings=np.full(len(rows), np.nan, np.float32),
    )


def wanted(items: Sequence[Sequence[int]]) -> ItemSets:
    """What each of many users took, one list for each."""
    sizes = [len(row) for row in items]
    flat = [item for row in items for item in row]
    return ItemSets(np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), np.array(flat, np.int32))


def catalogue(n_items: int) -> pa.Table:
    """Items in six categories."""
    ids = [f"i{item:03d}" for item in range(n_items)]
    return pa.table(
        {"item_id": ids, "title": ids, "category": [f"Shelf {item % 6}" for item in range(n_items)]}
    )


def circle_trial(repeats: bool = False) -> tuple[ModelSplit, EvaluationPoint]:
    """A leave-one-out trial and its test: each user's last event is the test, the second last a label."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(N_USERS):
        item = int(rng.integers(N_ITEMS))
        for step in range(N_EVENTS):
            rows.append((user, item, (user + 2 * step) * DAY_S))
            item = (item + 1 if rng.random() < 0.8 else int(rng.integers(N_ITEMS))) % N_ITEMS
    events, places = interactions(rows), np.arange(len(rows)) % N_EVENTS
    learning, known = events.rows(places < N_EVENTS - 2), events.rows(places < N_EVENTS - 1)
    labels = events.rows(places == N_EVENTS - 2)
    chosen = np.arange(N_USERS) % 5 == 0

    def labelled(users: np.ndarray) -> LabelledPoint:
        histories = Histories.of(learning, users, labels.times[users])
        return LabelledPoint(learning, histories, wanted([[item] for item in labels.items[users]]))

    everybody = np.arange(N_USERS)
    trial = ModelSplit(
        catalogue=catalogue(N_ITEMS),
        n_users=N_USERS,
        event_types=("rating",),
        target_types=("rating",),
        learning=learning,
        ranking=(labelled(everybody[~chosen]),),
        validation=labelled(everybody[chosen]),
        repeats=repeats,
        seed=3,
    )
    asked_at_s = events.times[places == N_EVENTS - 1]
    return trial, EvaluationPoint(known, Histories.of(known, everybody, asked_at_s))
