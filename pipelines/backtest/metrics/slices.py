"""The slices of a backtest: by history, by popularity and age of what was wished for, by kind of event."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.protocols import BacktestSplit
from pipelines.training.data import Interactions

HISTORY_STEPS = (0, 1, 5, 10, 20, 50)
"""Lower ends of the slices by events before the request."""

POPULARITY_STEPS = (0, 1, 10, 100, 1_000)
"""Lower ends of the slices by known events of the wished item."""

AGE_STEPS_DAYS = (0, 7, 28, 90)
"""Lower ends of the slices by days from the wished item's first event to the request."""

DAY_S = 86_400


def asker_slices(prepared: BacktestSplit) -> dict[str, NDArray[np.bool_]]:
    """Which rows of the answers `[U]` lie in each slice of askers; `user:cold` has no history at all."""
    sizes = prepared.test.histories.sizes[prepared.answers.requests]
    steps = zip(HISTORY_STEPS, (*HISTORY_STEPS[1:], None), strict=True)
    masks = {_name("history", low, high): _between(sizes, low, high) for low, high in steps}
    return {"user:cold": sizes == 0, **_filled(masks)}


def pair_slices(prepared: BacktestSplit) -> dict[str, NDArray[np.bool_]]:
    """Which true pairs `[n_pairs]` lie in each slice of wishes; `item:cold` was in no event before."""
    truth, known = prepared.answers.truth, prepared.test.known
    at_s = prepared.test.histories.at_s[prepared.answers.requests][truth.rows]
    listed = truth.items < truth.n_items
    items = np.where(listed, truth.items, 0)
    events = np.where(listed, np.bincount(known.items, minlength=truth.n_items)[items], 0)
    is_cold = events == 0
    masks = {"item:cold": is_cold}
    for low, high in zip(POPULARITY_STEPS, (*POPULARITY_STEPS[1:], None), strict=True):
        masks[_name("popularity", low, high)] = _between(events, low, high)
    days = np.maximum(at_s - first_events(known, truth.n_items)[items], 0) / DAY_S
    for low, high in zip(AGE_STEPS_DAYS, (*AGE_STEPS_DAYS[1:], None), strict=True):
        masks[_name("age_days", low, high, whole=False)] = ~is_cold & _between(days, low, high)
    types = prepared.answers.types
    masks |= {f"event:{name}": mask for name, mask in types.items()} if len(types) > 1 else {}
    return {name: mask for name, mask in masks.items() if mask.any() or name == "item:cold"}


def first_events(known: Interactions, n_items: int) -> NDArray[np.int64]:
    """[n_items] unix seconds of each item's first known event; the greatest integer where there is none."""
    first = np.full(n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, known.items, known.times)
    return first


def _between(values: NDArray[np.number], low: float, high: float | None) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (values >= low) & (values < (np.inf if high is None else high))
    return inside


def _filled(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    return {name: mask for name, mask in masks.items() if mask.any()}


def _name(kind: str, low: int, high: int | None, *, whole: bool = True) -> str:
    """`history:5-9` of whole numbers, `age_days:7-28` of others, `history:50+` without an upper end."""
    if high is None:
        return f"{kind}:{low}+"
    last = high - 1 if whole else high
    return f"{kind}:{low}" if last == low else f"{kind}:{low}-{last}"
