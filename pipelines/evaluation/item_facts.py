"""What is known of the items before the cutoff: how popular, of which category, how new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.evaluation.ground_truth import GroundTruth, distinct, instants, positions, strings
from pipelines.evaluation.split import utc64
from serving.bundle import CATEGORY_SEPARATOR

HEAD_SHARE = 0.5
"""The head is the fewest, most popular items that hold this share of the wishes before the cutoff."""

NEW_ITEM_DAYS = 28
"""An item is new if its first event lies less than this before the cutoff, or if it has none; in a log that
is younger itself, or keeps order instead of dates, only if it has none."""

GROUPS = ("head", "tail", "new")
"""Item groups by popularity and age; every item is in exactly one, new before head before tail."""

CATEGORY_SLICES = 8
"""How many of the largest categories get a slice of their own."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Facts of all items, each array in catalogue order `[n_items]`."""

    popularity: NDArray[np.float64]
    """Wishes (events of the target types) before the cutoff."""

    groups: NDArray[np.int8]
    """Index into `GROUPS`."""

    categories: NDArray[np.int32]
    """Index into `category_names`, -1 where the category is unknown."""

    category_names: tuple[str, ...]
    """First level of the category paths."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.popularity)

    @classmethod
    def from_tables(
        cls,
        item_ids: Sequence[str] | pa.Array,
        categories: Sequence[str | None] | pa.Array,
        events_before: pa.Table,
        cutoff: datetime,
        target_types: Sequence[str],
    ) -> "Catalogue":
        """Gather the facts from the events before `cutoff`; later rows are passed over.

        Args:
            item_ids: Distinct items in catalogue order.
            categories: Category path of each item, levels joined by " > "; the first level is used.
            events_before: Columns `item_id event_type event_at`.
            cutoff: Exclusive.
            target_types: Event types that count as a wish.
        """
        ids = distinct(item_ids, "item_ids")
        at = instants(events_before)
        before = at < utc64(cutoff)
        items = positions(events_before["item_id"], ids)
        wish = pc.is_in(events_before["event_type"], pa.array(target_types, pa.string()))
        known = before & (items >= 0)
        wished = items[known & np.asarray(wish)]
        popularity = np.bincount(wished, minlength=len(ids)).astype(np.float64)
        old = known & (at < utc64(cutoff - timedelta(days=NEW_ITEM_DAYS)))
        is_old = np.bincount(items[old if old.any() else known], minlength=len(ids)) > 0
        encoded = pc.list_element(
            pc.split_pattern(strings(categories), CATEGORY_SEPARATOR), 0
        ).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        return cls(popularity, _groups(popularity, is_old), codes, tuple(encoded.dictionary.to_pylist()))

    def slices(self, truth: GroundTruth) -> dict[str, NDArray[np.bool_]]:
        """Item masks by name: `item:head`, `item:tail`, `item:new`, and the categories wished for most."""
        masks = {f"item:{name}": self.groups == code for code, name in enumerate(GROUPS)}
        listed = truth.items[truth.items < self.n_items]
        codes = self.categories[listed]
        wished = np.bincount(codes[codes >= 0], minlength=len(self.category_names))
        for code in np.argsort(-wished, kind="stable")[:CATEGORY_SLICES]:
            if wished[code]:
                masks[f"category:{self.category_names[code]}"] = self.categories == code
        return masks


def _groups(popularity: NDArray[np.float64], is_old: NDArray[np.bool_]) -> NDArray[np.int8]:
    """`GROUPS` index of each item; items as popular as the last one of the head are all head."""
    descending = np.sort(popularity)[::-1]
    total = descending.sum()
    last = int(np.searchsorted(np.cumsum(descending), HEAD_SHARE * total)) if total else 0
    in_head = (popularity >= descending[last]) & (popularity > 0) if len(popularity) else is_old
    return np.where(~is_old, 2, np.where(in_head, 0, 1)).astype(np.int8)
