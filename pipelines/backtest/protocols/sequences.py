"""Explicit: train on sequences, and rank all items for each given history; what was had may come again."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data import Dataset, known_shop
from pipelines.backtest.protocols.ground_truth import gather_answers
from pipelines.backtest.protocols.split import BacktestSplit, Cutoff, all_of
from pipelines.errors import BacktestError
from pipelines.evaluation import ItemSets, positions
from pipelines.training.data import EvaluationPoint, Histories, Interactions, LabelledPoint, ModelSplit

HELD_SHARE = 0.1
"""Share of the sequences that are kept from learning, for the second stage and for choices."""

FEWEST_HELD, MOST_HELD = 1_000, 20_000
"""As many sequences are held at least and at most; at least no more than 30 %."""

LARGEST_SHARE = 0.3
VALIDATION_SHARE = 0.15
"""Share of the held sequences that choices are made by; the second stage learns from the others."""


def cut(dataset: Dataset) -> Cutoff:
    """All events are known; what lies after the cutoff are the targets of the test rows."""
    return Cutoff(np.ones(dataset.events.num_rows, bool))


def prepare(dataset: Dataset, cut: Cutoff, *, keep_seen: bool = True, seed: int = 0) -> BacktestSplit:
    """The trial of the sequences, one for each user of the events, and the test rows' targets as the answers.

    A seeded share of the sequences is held out of `learning`; each is cut at a seeded place, and what follows
    there is its label.

    Args:
        dataset: With its test rows.
        cut: What `cut` found.
        keep_seen: Whether items of a history may be listed again.
        seed: Of the held sequences and their places.
    """
    if dataset.test is None:
        raise BacktestError(
            f"{dataset.name}: expected test.parquet for protocol explicit, received none; write it with the "
            "columns history and target"
        )
    shop = known_shop(dataset, cut.known)
    known = shop.interactions
    item_ids = shop.catalogue["item_id"].combine_chunks()
    starts, sizes = _held(known, seed)
    learning = known.rows(~np.isin(known.users, known.users[starts]))
    chosen = np.zeros(len(starts), bool)
    chosen[: max(1, round(VALIDATION_SHARE * len(starts)))] = True
    histories, unknown = _given(dataset.test["history"].combine_chunks(), item_ids, known)
    targets = dataset.test["target"].combine_chunks()
    return BacktestSplit(
        trial=ModelSplit(
            catalogue=shop.catalogue,
            n_users=len(shop.user_ids),
            event_types=shop.event_types,
            target_types=shop.target_types,
            learning=learning,
            ranking=(_labelled(learning, known, starts[~chosen], sizes[~chosen]),),
            validation=_labelled(learning, known, starts[chosen], sizes[chosen]),
            repeats=keep_seen,
            seed=seed,
        ),
        test=EvaluationPoint(known=known, histories=histories),
        answers=gather_answers(
            _names(len(targets)),
            targets,
            pa.array(["target"] * len(targets)),
            np.arange(len(targets)),
            item_ids,
        ),
        counts={
            "sequences_held_out": len(starts),
            "history_items_unknown": unknown,
            "targets_unknown": int((positions(targets, item_ids) < 0).sum()),
        },
    )


def _held(known: Interactions, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Drawn sequences with at least two events: each one's first row, and how many events it is cut after."""
    starts = np.flatnonzero(np.append(True, np.diff(known.users) != 0))
    sizes = np.diff(np.append(starts, len(known)))
    able = np.flatnonzero(sizes > 1)
    if len(able) < 3:
        raise BacktestError(
            f"expected at least three sequences of two or more events to choose by, received {len(able)}; "
            "protocol explicit learns from sequences of several events by one user_id"
        )
    wanted = max(round(HELD_SHARE * len(able)), min(FEWEST_HELD, round(LARGEST_SHARE * len(able))), 2)
    random = np.random.default_rng(seed)
    drawn = random.permutation(able)[: min(wanted, MOST_HELD, len(able) - 1)]
    return starts[drawn], random.integers(1, sizes[drawn])


def _labelled(
    learning: Interactions, known: Interactions, starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> LabelledPoint:
    """Requests after the first `sizes` events of the sequences at `starts`, labelled by the next event."""
    order = np.argsort(starts)
    starts, sizes = starts[order], sizes[order]
    rows = np.repeat(starts + sizes - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
    prefixes = known.rows(rows)
    histories = all_of(prefixes, known.users[starts].astype(np.int64))
    return LabelledPoint(
        known=learning,
        histories=replace(histories, users=np.full(len(starts), -1, np.int64)),
        wanted=ItemSets(np.arange(len(starts) + 1), known.items[starts + sizes]),
    )


def _given(lists: pa.ListArray, item_ids: pa.Array, known: Interactions) -> tuple[Histories, int]:
    """The given histories without items that no model can know, and how many those were.

    They come without times and types: they get the commonest type, and end with the last known event, each
    event a usual pause after the one before.
    """
    items = positions(lists.flatten(), item_ids)
    rows = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    listed = items >= 0
    items, rows = items[listed], rows[listed]
    sizes = np.bincount(rows, minlength=len(lists))
    indptr = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    places = np.repeat(indptr[1:], sizes) - 1 - np.arange(len(items))
    end = int(known.times.max(initial=0))
    histories = Histories(
        users=np.full(len(lists), -1, np.int64),
        at_s=np.full(len(lists), end + 1, np.int64),
        indptr=indptr,
        items=items.astype(np.int32),
        types=np.full(len(items), np.bincount(known.types).argmax(), np.int32),
        times=end - places * _usual_pause(known),
    )
    return histories, int((~listed).sum())


def _usual_pause(known: Interactions) -> int:
    """The median of the seconds between neighbouring events of one sequence; 0 where there are none."""
    pauses = np.diff(known.times)[np.diff(known.users) == 0]
    return int(np.median(pauses)) if len(pauses) else 0


def _names(n: int) -> pa.StringArray:
    """Names of the test rows that sort as their numbers do."""
    return pc.utf8_lpad(pa.array(np.arange(n)).cast(pa.string()), width=len(str(max(n - 1, 0))), padding="0")
