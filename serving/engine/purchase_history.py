"""Purchase history: when and how regularly users bought items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.user_batch import UserBatch

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
CART = "cart"
"""The event type that puts an item into the cart."""


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
