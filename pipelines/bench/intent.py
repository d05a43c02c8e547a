"""Purchase intent: our session model beside boosted trees on fifteen plain features."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.data import known_shop, read_dataset
from pipelines.errors import BacktestError
from pipelines.evaluation import auc
from pipelines.training import IntentConfig
from pipelines.training.data import Interactions
from pipelines.training.fit import litert_export
from pipelines.training.intent import (
    IntentExamples,
    export_intent,
    intent_examples,
    train_intent,
)
from serving.bundle import INTENT
from serving.engine.intent import CART, PURCHASE, SESSION_TIMEOUT_S, ItemGroups, event_roles, intent_inputs

TEST_SHARE = 0.2
"""Share of the events, those of the latest sessions, that both sides are tested on."""

EARLY = (1, 2, 3, 5)
"""Numbers of events after which a session is judged."""

ECE_BINS = 10
"""Bins of equal width, as in Guo et al., "On calibration of modern neural networks" (2017)."""

TIMED = 500


def measure_intent(folder: str, seed: int = 0) -> dict[str, Any]:
    """Train both sides on the earlier sessions of a data set and test them on the latest ones.

    One example is one event; sessions end after thirty minutes and are never parted.

    Args:
        folder: Holds `events.parquet` with views or carts, and purchases.
        seed: Of every draw.

    Returns:
        `auc`, `auc_after` (by number of events), `auc_after_cart`, `ece` and `log_loss` of our model; the
        same of `lightgbm`, and of `last_event`, which knows the type of the last event alone; `ms`, the
        median of one estimate in serving; `examples`, `purchase_rate`, `train_seconds`.
    """
    dataset = read_dataset(Path(folder))
    kinds = set(dataset.events["event_type"].to_pylist())
    if "purchase" not in kinds or len(kinds) < 2:
        raise BacktestError(
            f"{dataset.name}: expected events of type purchase and of at least one other type, "
            f"received {', '.join(sorted(kinds))}"
        )
    shop = known_shop(dataset, np.ones(dataset.events.num_rows, bool), ["purchase"])
    events, roles = shop.interactions, event_roles(shop.event_types, ["purchase"])
    columns = [shop.catalogue[name].combine_chunks() for name in ("category", "price")]
    groups = ItemGroups.fit(*columns)
    codes = groups.codes(*columns)
    examples = intent_examples(events, roles, codes, groups.sizes, IntentConfig().history_length)
    ordered = np.sort(examples.session_starts_s)
    cut = ordered[int((1 - TEST_SHARE) * len(ordered))]
    learning, test = examples.session_starts_s < cut, examples.session_starts_s >= cut
    started = time.perf_counter()
    trained = train_intent(examples.rows(learning), groups.sizes, IntentConfig(), seed)
    train_seconds = time.perf_counter() - started
    tested = examples.rows(test)
    figures = judge(tested, trained.purchase_probabilities(tested))
    with tempfile.TemporaryDirectory(prefix="aisle-intent-") as workdir:
        parity = export_intent(trained, Path(workdir), groups, IntentConfig().history_length, tested)
        milliseconds = _milliseconds(Path(workdir) / INTENT, events, roles, codes, groups)
    plain = plain_features(events, roles[events.types], examples)
    return {
        **figures,
        "lightgbm": judge(tested, _boosted(plain[learning], examples.purchase[learning], plain[test], seed)),
        "last_event": judge(tested, _by_role(examples.rows(learning), tested)),
        "ms": round(milliseconds, 3),
        "examples": {"learning": int(learning.sum()), "test": int(test.sum())},
        "purchase_rate": round(float(tested.purchase.mean()), 4),
        "train_seconds": round(train_seconds, 1),
        "largest_difference_of_graph": parity.largest_difference,
    }


def judge(examples: IntentExamples, probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """AUC of all examples, early in sessions, and right after a cart; calibration error and log loss.

    An AUC of examples of which all, or none, were followed by a purchase is None.
    """
    labels = examples.purchase

    def auc_of(chosen: NDArray[np.bool_]) -> float | None:
        figure = auc(labels[chosen], probabilities[chosen])
        return None if np.isnan(figure) else round(figure, 4)

    kept = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    loss = -np.mean(labels * np.log(kept) + (1 - labels) * np.log(1 - kept))
    return {
        "auc": auc_of(np.ones(len(labels), bool)),
        "auc_after": {str(number): auc_of(examples.event_number == number) for number in EARLY},
        "auc_after_cart": auc_of(examples.role == CART),
        "ece": round(expected_calibration_error(labels, probabilities), 4),
        "log_loss": round(float(loss), 4),
    }


def expected_calibration_error(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> float:
    """Mean |predicted - observed| over ten bins of equal width, weighted by their counts."""
    bins = np.minimum((probabilities * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    gaps = np.abs(
        np.bincount(bins, probabilities, minlength=ECE_BINS) - np.bincount(bins, labels, minlength=ECE_BINS)
    )
    return float(gaps.sum() / max(1, counts.sum()))


def plain_features(
    events: Interactions, role: NDArray[np.int32], examples: IntentExamples
) -> NDArray[np.float64]:
    """[E, 15] what a shop would count by hand: the session, the last event, the user's past, the hour."""
    index = np.arange(len(events))
    session_start = index - examples.event_number + 1
    new_user = np.append(True, events.users[1:] != events.users[:-1])[: len(events)]
    user_start = np.maximum.accumulate(np.where(new_user, index, 0))

    def since(start: NDArray[np.int64], which: NDArray[np.bool_]) -> NDArray[np.int64]:
        counted = np.append(0, np.cumsum(which))
        return np.asarray(counted[index + 1] - counted[start], np.int64)

    is_kind = {"view": role == 1, "cart": role == CART, "purchase": role == PURCHASE}
    new_session = examples.event_number == 1
    gap = np.where(new_session, -1, events.times - events.times[np.maximum(index - 1, 0)])
    keys = np.stack([session_start, events.items])
    _, inverse = np.unique(keys, axis=1, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    ranked = inverse[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    repeats = np.empty(len(index), np.int64)
    repeats[order] = index - np.repeat(starts, np.diff(np.append(starts, len(index))))
    return np.stack(
        [
            examples.event_number,
            *(since(session_start, which) for which in is_kind.values()),
            role,
            gap,
            events.times - events.times[session_start],
            since(session_start, repeats == 0),
            repeats,
            events.times // 3_600 % 24,
            events.times // 86_400 % 7,
            since(user_start, is_kind["purchase"]),
            session_start - user_start,
            since(user_start, new_session),
            since(user_start, is_kind["cart"]),
        ],
        axis=1,
    ).astype(np.float64)


def _boosted(
    learning: NDArray[np.float64], labels: NDArray[np.float32], test: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """LightGBM's probabilities, with the rate and the size that its documentation starts from."""
    import lightgbm

    settings: Mapping[str, Any] = {"objective": "binary", "learning_rate": 0.05, "num_leaves": 31}
    booster = lightgbm.train(
        {**settings, "seed": seed, "verbose": -1, "num_threads": 2},
        lightgbm.Dataset(learning, labels),
        num_boost_round=200,
    )
    return np.asarray(booster.predict(test), np.float64)


def _by_role(learning: IntentExamples, test: IntentExamples) -> NDArray[np.float64]:
    """The rate of purchases after the type of the last event alone."""
    counts = np.bincount(learning.role, minlength=8)
    bought = np.bincount(learning.role, learning.purchase, minlength=8)
    rates = (bought + 1) / (counts + 2)
    return np.asarray(rates[test.role], np.float64)


def _milliseconds(
    path: Path, events: Interactions, roles: NDArray[np.int32], codes: NDArray[np.int32], groups: ItemGroups
) -> float:
    """Median time of one estimate: the inputs of one user's last events, and the graph."""
    rows = np.arange(IntentConfig().history_length)[::-1]
    one = replace(events).rows(np.arange(min(len(events), IntentConfig().history_length)))
    rows = rows[rows < len(one)]
    items, role = one.items[rows][None], roles[one.types[rows]][None]
    ages = np.arange(len(rows), dtype=np.float32)[None] * np.float32(SESSION_TIMEOUT_S / 8)
    at_s = np.array([float(one.times[-1])])
    graph = litert_export.runner(path)
    taken = []
    for _ in range(TIMED):
        started = time.perf_counter()
        inputs = intent_inputs(items, role, ages, at_s, codes, groups.sizes)
        graph(numbers=inputs.numbers, sequence=inputs.sequence, shares=inputs.shares)
        taken.append(time.perf_counter() - started)
    return 1_000 * float(np.median(taken))
