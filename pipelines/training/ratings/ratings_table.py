"""Ratings as arrays, with what is known of users and items beside them."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import TrainingError
from pipelines.training.ratings.feature_matrix import described

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ratings:
    """R ratings of distinct pairs of user and item, in an order that tells nothing."""

    users: Integers
    """[R] rows of users."""
    items: Integers
    """[R] item indices."""
    values: Floats
    """[R] the ratings."""
    user_features: Floats
    """[n_users, F] what is known of the users, 0 and 1 or standardised."""
    item_features: Floats
    """[n_items, G] what is known of the items."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_users(self) -> int:
        """Users with at least one rating, here or in the table that this one is a part of."""
        return len(self.user_features)

    @property
    def n_items(self) -> int:
        """Items with at least one rating, likewise."""
        return len(self.item_features)

    def rows(self, chosen: npt.NDArray[Any]) -> Self:
        """Some of the ratings, by mask or index."""
        return replace(self, users=self.users[chosen], items=self.items[chosen], values=self.values[chosen])

    @classmethod
    def of(
        cls,
        events: pa.Table,
        items: pa.Table | None = None,
        users: pa.Table | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """The last rating of every user for every item, shuffled.

        Args:
            events: `user_id item_id rating`, and `event_at` to know the last one by; rows without rating are
                passed over.
            items: `item_id` and any columns that describe items.
            users: `user_id` and any columns that describe users.
            seed: Of the order.

        Raises:
            TrainingError: There is no rating.
        """
        rated = events.filter(pc.is_valid(events["rating"])) if "rating" in events.column_names else None
        if rated is None or rated.num_rows == 0:
            raise TrainingError(
                "expected events with a column `rating`, received none; use a protocol that ranks instead"
            )
        if "event_at" in rated.column_names:
            rated = rated.sort_by("event_at")
        user_ids, item_ids = (pc.unique(rated[name]).sort() for name in ("user_id", "item_id"))
        rows = pc.index_in(rated["user_id"], value_set=user_ids).to_numpy().astype(np.int64)
        columns = pc.index_in(rated["item_id"], value_set=item_ids).to_numpy().astype(np.int64)
        _, last = np.unique((rows * len(item_ids) + columns)[::-1], return_index=True)
        chosen = np.random.default_rng(seed).permutation(len(rows) - 1 - last)
        return cls(
            rows[chosen],
            columns[chosen],
            rated["rating"].to_numpy().astype(np.float64)[chosen],
            described(users, "user_id", user_ids),
            described(items, "item_id", item_ids),
        )
