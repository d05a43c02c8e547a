"""Whether a shop has enough history to train and measure a release, told before anything is trained."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.errors import TrainingError
from pipelines.evaluation import TimeSplit, Window
from pipelines.training.data import EncodedShop

FEWEST = 2
"""Fewest users and items that lists can be told apart by."""


def refuse_too_little(shop: EncodedShop, split: TimeSplit) -> None:
    """Raise `TrainingError` where a stage of training would have nothing to learn from or to be measured by.

    Args:
        shop: What was known before the cutoff.
        split: The windows that were planned for it.
    """
    events = shop.interactions
    found = f"{len(events):,} events by {len(shop.user_ids):,} users with {shop.n_items:,} items"
    if min(len(shop.user_ids), len(np.unique(events.items))) < FEWEST:
        raise TrainingError(
            f"expected events of at least {FEWEST} users with at least {FEWEST} items, received {found}; "
            "ingest more of the shop's history"
        )
    learning = events.before(split.retrieval_until)
    came_back = np.bincount(learning.users).max(initial=0) > 1
    if not came_back:
        raise TrainingError(
            f"expected users with two events or more before {split.retrieval_until:%Y-%m-%d %H:%M} to learn "
            f"from, received none among {found}; ingest more of the shop's history"
        )
    ranking = Window(starts_at=split.ranking_instants[0], ends_at=split.validation_from)
    for window, purpose in (
        (ranking, "for the ranking model to learn from"),
        (split.validation, "to choose settings by"),
        (split.test, "to measure the release by"),
    ):
        if not _wanted(shop, window):
            raise TrainingError(
                f"expected {_named(shop.target_types)} events from {window.starts_at:%Y-%m-%d %H:%M} to "
                f"{window.ends_at:%Y-%m-%d %H:%M} by users who had done something before, {purpose}; "
                f"received none among {found}, {_span(shop)}. Ingest more history, or choose a cutoff "
                "(--as-of) shortly after a time in which users came back"
            )


def _wanted(shop: EncodedShop, window: Window) -> bool:
    """Whether a known user did something that counts as success in the window."""
    events = shop.interactions
    inside = events.between(window.starts_at, window.ends_at)
    takers = inside.users[np.isin(inside.types, shop.target_codes)]
    return bool(np.isin(takers, events.before(window.starts_at).users).any())


def _named(types: Sequence[str]) -> str:
    return " or ".join(types)


def _span(shop: EncodedShop) -> str:
    """The days of the first and the last event that counts as success."""
    events = shop.interactions
    times = events.times[np.isin(events.types, shop.target_codes)]
    if not len(times):
        return f"none of them {_named(shop.target_types)}"
    first, last = _day(times.min()), _day(times.max())
    return f"whose {_named(shop.target_types)} events run from {first} to {last}"


def _day(second: npt.NDArray[np.int64] | np.int64) -> str:
    return str(np.datetime64(int(second), "s").astype("datetime64[D]"))
