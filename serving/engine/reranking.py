"""The last order of a list: what was just bought steps back, and no category fills the page alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.user_batch import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
CART = "cart"
"""The event type that means: it is in the basket already."""


@dataclass(frozen=True, slots=True)
class RerankSettings:
    """How a surface orders its list after the ranker."""

    max_per_category: int = 3
    """Items of one category among `window` places; further ones step back. 0 = no limit.

    Three of ten cost .001 NDCG@10 on the same list.
    """
    window: int = 10
    """Places that one page shows; an item too many steps back by so many."""
    just_bought_hours: float = 2.0
    """Items bought within this time step behind all others: it is the same visit."""
    in_cart_hours: float = 12.0
    """Items put into the cart within this time step behind all others."""
    rhythm_share: float = 0.0
    """Items bought again and again also step back for this share of the user's own interval for them.

    0 leaves it to the ranker, which knows how long ago each item was bought. On Complete Journey, whose
    households buy again less regularly than one thinks, a list made from habit alone has an NDCG@10 of .319
    for the next 14 days; two hours cost nothing (+.0003), a share of .02 costs .004, of .1 .015, of .25 .034.
    """


@dataclass(frozen=True, slots=True)
class PurchaseHistory:
    """When and how regularly users bought items: one row per user and item that was bought."""

    keys: npt.NDArray[np.int64]
    """Sorted: user row times n_items plus item index."""
    last_age_s: npt.NDArray[np.float64]
    """Since the last purchase."""
    interval_s: npt.NDArray[np.float64]
    """Mean time between the days on which it was bought; NaN when that was one day."""
    days: npt.NDArray[np.int64]
    """Days on which it was bought."""
    n_items: int

    def find(self, users: npt.NDArray[Any], items: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Rows of these users and items (any shape), -1 where the user never bought the item."""
        wanted = users * np.int64(self.n_items) + items
        if len(self.keys) == 0:
            return np.full(wanted.shape, -1, np.int64)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where((self.keys[places] == wanted) & (items >= 0), places, -1)

    def of_user(self, row: int) -> "PurchaseHistory":
        """The part of one user, as that of a batch of one."""
        first, last = np.searchsorted(self.keys, (row * self.n_items, (row + 1) * self.n_items))
        part = slice(int(first), int(last))
        return PurchaseHistory(
            self.keys[part] - row * self.n_items,
            self.last_age_s[part],
            self.interval_s[part],
            self.days[part],
            self.n_items,
        )


def purchase_history(bundle: Bundle, users: UserBatch) -> PurchaseHistory:
    """Each user's purchases by item; several on one day count as one."""
    codes = [
        place for place, name in enumerate(bundle.spec.event_types, 1) if name in bundle.spec.target_types
    ]
    bought = np.isin(users.history_types, codes) & (users.history_items >= 0)
    at_user, at_event = np.nonzero(bought)
    keys = at_user * np.int64(bundle.n_items) + users.history_items[at_user, at_event]
    ages = users.history_ages_s[at_user, at_event].astype(np.float64)
    order = np.lexsort((ages, keys))
    keys, ages = keys[order], ages[order]
    if not len(keys):
        return PurchaseHistory(keys, ages, ages, keys, bundle.n_items)
    days = np.floor(ages / DAY_S)
    is_first, is_new_day = np.ones(len(keys), bool), np.ones(len(keys), bool)
    is_first[1:] = keys[1:] != keys[:-1]
    is_new_day[1:] = is_first[1:] | (days[1:] != days[:-1])
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(keys)) - 1
    counts = np.add.reduceat(is_new_day, starts, dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        interval = np.where(counts > 1, (ages[ends] - ages[starts]) / (counts - 1), np.nan)
    return PurchaseHistory(keys[starts], ages[starts], interval, counts, bundle.n_items)


def rerank(
    bundle: Bundle,
    users: UserBatch,
    items: Integers,
    settings: RerankSettings,
    rhythms: PurchaseHistory | None = None,
) -> npt.NDArray[np.int64]:
    """[B, C] the new order of ranked lists, as columns of `items` [B, C] (-1 = padding stays behind)."""
    rhythms = purchase_history(bundle, users) if rhythms is None else rhythms
    width = items.shape[1]
    places = np.broadcast_to(np.arange(width), items.shape).astype(np.int64)
    key = places + width * 1_000 * (items < 0)
    too_early = is_repurchase_too_soon(bundle, users, items, settings, rhythms)
    if too_early.any():
        key = key + width * 100 * too_early
    if settings.max_per_category > 0:
        order = np.argsort(key, axis=1, kind="stable")
        surplus = _rank_in_category(bundle, np.take_along_axis(items, order, 1)) // settings.max_per_category
        stepped_back = np.empty_like(surplus)
        np.put_along_axis(stepped_back, order, surplus, 1)
        key = key + stepped_back * settings.window
    return np.argsort(key, axis=1, kind="stable")


def is_repurchase_too_soon(
    bundle: Bundle, users: UserBatch, items: Integers, settings: RerankSettings, rhythms: PurchaseHistory
) -> npt.NDArray[np.bool_]:
    """[B, C] whether the user has no need of the item yet: it is in the cart, or came home lately.

    With a share of the rhythm, lately is measured by the user's own habit: bread bought every second day is
    due again the next day, washing powder bought every two months is not due for weeks.
    """
    rows = np.arange(len(items))[:, None]
    just_bought = np.zeros(items.shape, bool)
    if len(rhythms.keys):
        found = rhythms.find(rows, items)
        patience_s: npt.NDArray[np.float64] | float = settings.just_bought_hours * HOUR_S
        if settings.rhythm_share > 0:
            interval_s = np.nan_to_num(rhythms.interval_s, nan=0.0)
            patience_s = np.maximum(patience_s, settings.rhythm_share * interval_s[found])
        just_bought = (found >= 0) & (rhythms.last_age_s[found] < patience_s)
    if CART in bundle.spec.event_types and settings.in_cart_hours > 0:
        in_cart = (users.history_types == bundle.spec.event_types.index(CART) + 1) & (
            users.history_ages_s < settings.in_cart_hours * HOUR_S
        )
        at_user, at_event = np.nonzero(in_cart & (users.history_items >= 0))
        if len(at_user):
            keys = at_user * np.int64(bundle.n_items) + users.history_items[at_user, at_event]
            just_bought |= np.isin(rows * np.int64(bundle.n_items) + items, keys) & (items >= 0)
    return just_bought


def _rank_in_category(bundle: Bundle, items: Integers) -> npt.NDArray[np.int64]:
    """[B, C] how many items of the same category stand before each item; 0 for items without a category."""
    codes = np.where(items >= 0, bundle.catalogue.category_codes[items], -1)
    order = np.argsort(codes, axis=1, kind="stable")
    ordered = np.take_along_axis(codes, order, 1)
    width = np.arange(items.shape[1])
    is_first = np.ones(ordered.shape, bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ranks = width - np.maximum.accumulate(np.where(is_first, width, 0), axis=1)
    result = np.empty(items.shape, np.int64)
    np.put_along_axis(result, order, ranks, 1)
    return np.where(codes >= 0, result, 0)
