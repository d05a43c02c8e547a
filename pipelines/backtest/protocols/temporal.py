"""Temporal: global cutoffs in time, as a shop that retrains meets them; all that came later is the truth."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data import Dataset, known_shop
from pipelines.backtest.protocols.ground_truth import gather_answers
from pipelines.backtest.protocols.split import BacktestSplit, Cutoff, seen_pairs
from pipelines.errors import BacktestError
from pipelines.evaluation import ItemSets, TimeSplit, Window, instants, positions, utc64
from pipelines.training.data import (
    EncodedShop,
    EvaluationPoint,
    Histories,
    Interactions,
    LabelledPoint,
    ModelSplit,
)


def cut(dataset: Dataset) -> Cutoff:
    """All events before the test window, which ends with the last event.

    Raises:
        EvaluationError: The events span less than can be split in time.
    """
    at = dataset.events["event_at"].cast(pa.int64()).to_numpy()
    first, last = int(at.min()) // 1_000_000, int(at.max()) // 1_000_000
    split = TimeSplit.plan(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last + 1, UTC))
    return Cutoff(instants(dataset.events) < utc64(split.test_from), split=split)


def prepare(
    dataset: Dataset,
    cut: Cutoff,
    *,
    targets: Sequence[str] | None = None,
    learn_from: Sequence[str] | None = None,
    keep_seen: bool = True,
    seed: int = 0,
) -> BacktestSplit:
    """The trial of the events before the test window, and all that came in it as the answers.

    Every known user makes a request at the start of the test window; one more request without a history
    stands for all users who came later, since nothing is known of any of them.

    Args:
        dataset: Events by user, then time.
        cut: What `cut` found.
        targets: Event types that count as success; all, if left out.
        learn_from: Event types that anything is learned of, histories included; all, if left out.
        keep_seen: Whether items that a user had before may be listed again. If not, they are no truth either.
        seed: Of the models.
    """
    split = _split_of(cut)
    shop = known_shop(dataset, cut.known & _of_types(dataset, learn_from), targets)
    known = shop.interactions
    stages = [
        _labelled(shop, split.labels_of(at), keep_seen)
        for at in (*split.ranking_instants, split.validation_from)
    ]
    if not len(stages[-1].histories):
        raise BacktestError(
            f"{dataset.name}: expected users with a history who come back between "
            f"{split.validation_from.isoformat()} and {split.test_from.isoformat()}, received none; use "
            "protocol leave-one-out, or a longer history"
        )
    test = EvaluationPoint(known=known, histories=_everybody(known, len(shop.user_ids), split.test_from))
    future = dataset.events.filter(pa.array(~cut.known))
    if targets is not None:
        future = future.filter(pc.is_in(future["event_type"], pa.array(list(targets))))
    requests = positions(future["user_id"], shop.user_ids)
    cold = requests < 0
    requests[cold] = len(shop.user_ids)
    seen = np.zeros(len(requests), bool)
    item_ids = shop.catalogue["item_id"].combine_chunks()
    if not keep_seen:
        items = positions(future["item_id"], item_ids)
        pairs = requests * len(item_ids) + items
        seen = (items >= 0) & np.isin(pairs, seen_pairs(test.histories, len(item_ids)))
    wanted = future.filter(pa.array(~seen))
    return BacktestSplit(
        trial=ModelSplit(
            catalogue=shop.catalogue,
            n_users=len(shop.user_ids),
            event_types=shop.event_types,
            target_types=shop.target_types,
            learning=known.before(split.retrieval_until),
            ranking=tuple(stages[:-1]),
            validation=stages[-1],
            repeats=keep_seen,
            seed=seed,
        ),
        test=test,
        answers=gather_answers(
            wanted["user_id"].combine_chunks(),
            wanted["item_id"].combine_chunks(),
            wanted["event_type"].combine_chunks(),
            requests[~seen],
            item_ids,
        ),
        counts={
            "cold_users": pc.count_distinct(wanted["user_id"].filter(pa.array(cold[~seen]))).as_py(),
            "events_of_seen_items_left_out": int(seen.sum()),
        },
    )


def _of_types(dataset: Dataset, types: Sequence[str] | None) -> NDArray[np.bool_]:
    """[E] which events are of these types; all, without any."""
    told = dataset.events["event_type"]
    if types is None:
        return np.ones(len(told), bool)
    if unknown := sorted(set(types) - set(pc.unique(told).to_pylist())):
        raise BacktestError(
            f"{dataset.name}: expected types to learn from out of "
            f"{', '.join(sorted(pc.unique(told).to_pylist()))}, received {', '.join(unknown)}"
        )
    return np.asarray(pc.is_in(told, pa.array(list(types))).to_numpy(), bool)


def _split_of(cut: Cutoff) -> TimeSplit:
    if cut.split is None:
        raise BacktestError("expected a cut with a time split, received none; make it with temporal.cut")
    return cut.split


def _everybody(known: Interactions, n_users: int, at: datetime) -> Histories:
    """Requests of all known users at one instant, and one without any history behind them."""
    users = np.append(np.arange(n_users), -1)
    return Histories.of(known, users, np.full(len(users), int(at.timestamp())))


def _labelled(shop: EncodedShop, window: Window, keep_seen: bool) -> LabelledPoint:
    """Requests at the window's start of known users who took targets in it, labelled by all types."""
    at_s = int(window.starts_at.timestamp())
    known = shop.interactions.before(window.starts_at)
    after = shop.interactions.between(window.starts_at, window.ends_at)
    if not keep_seen:
        after = after.rows(~np.isin(_pairs(after, shop.n_items), _pairs(known, shop.n_items)))
    is_target = np.isin(after.types, shop.target_codes)
    askers = np.intersect1d(after.users[is_target], known.users).astype(np.int64)
    others = [name for name in shop.event_types if name not in shop.target_types]
    return LabelledPoint(
        known=known,
        histories=Histories.of(known, askers, np.full(len(askers), at_s)),
        wanted=_wanted(after.rows(is_target), askers, shop.n_items),
        others={
            name: _wanted(after.rows(after.types == shop.event_types.index(name) + 1), askers, shop.n_items)
            for name in others
        },
    )


def _pairs(events: Interactions, n_items: int) -> NDArray[np.int64]:
    """`user * n_items + item` of each event."""
    return events.users * np.int64(n_items) + events.items


def _wanted(taken: Interactions, askers: NDArray[np.int64], n_items: int) -> ItemSets:
    """The distinct items that each of the askers, ascending, took in these events."""
    users, items = np.divmod(np.unique(_pairs(taken, n_items)), n_items)
    asked = np.isin(users, askers)
    ends = np.searchsorted(users[asked], askers, "right")
    return ItemSets(np.concatenate(([0], ends)).astype(np.int64), items[asked].astype(np.int32))
