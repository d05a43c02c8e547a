"""What the users really did in a window: the truth that lists are measured against."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.errors import EvaluationError
from pipelines.evaluation.split import Window


@dataclass(frozen=True, slots=True)
class ItemSets:
    """Distinct items of many requests, in compressed rows: row `u` is `items[indptr[u]:indptr[u + 1]]`."""

    indptr: NDArray[np.int64]
    """Where each row starts, `[n_rows + 1]`."""

    items: NDArray[np.int32]
    """Item indices, ascending and distinct within a row."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of items of each row, `[n_rows]`."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of every item, `[n_pairs]`."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.sizes)


@dataclass(frozen=True, slots=True)
class GroundTruth(ItemSets):
    """The distinct true items of each user.

    Items outside the catalogue have an index of `n_items` or above: no list can hit them, and they still
    count among what a perfect list would have had to find.
    """

    user_ids: pa.StringArray
    """The users, in the order of every other array of the evaluation."""

    n_items: int
    """Size of the catalogue."""

    @property
    def n_users(self) -> int:
        """Number of rows, those without any true item included."""
        return len(self.indptr) - 1

    def relevance(self, lists: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which positions of the lists `[n_users, k]` hold a true item; padding (-1) never does."""
        if lists.ndim != 2 or len(lists) != self.n_users:
            raise EvaluationError(
                f"expected one list for each of the {self.n_users} users, received shape {lists.shape}"
            )
        if lists.max(initial=-1) >= self.n_items:
            raise EvaluationError(
                f"expected item indices below {self.n_items}, the catalogue's size, received {lists.max()}"
            )
        if not len(self.items):
            return np.zeros(lists.shape, bool)
        stride = np.int64(max(self.n_items, int(self.items.max()) + 1))
        known = self.rows * stride + self.items
        asked = np.arange(self.n_users)[:, None] * stride + lists
        found = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        hits: NDArray[np.bool_] = (known[found] == asked) & (lists >= 0)
        return hits

    def only(self, item_mask: NDArray[np.bool_]) -> "GroundTruth":
        """The same users with only those true items whose entry in `item_mask` `[n_items]` is true."""
        keep = np.zeros(len(self.items), bool)
        listed = self.items < self.n_items
        keep[listed] = item_mask[self.items[listed]]
        return self.pairs(keep)

    def pairs(self, keep: NDArray[np.bool_]) -> "GroundTruth":
        """The same users with only those true pairs whose entry in `keep` `[n_pairs]` is true."""
        return self._of(self.user_ids, self.rows[keep], self.items[keep])

    def take(self, users: NDArray[np.integer]) -> "GroundTruth":
        """The rows of `users` `[m]`, in that order."""
        sizes = self.sizes[users]
        starts = np.repeat(self.indptr[users] - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes)
        rows = np.repeat(np.arange(len(users)), sizes)
        return self._of(
            self.user_ids.take(pa.array(users)), rows, self.items[starts + np.arange(sizes.sum())]
        )

    def _of(
        self, user_ids: pa.StringArray, rows: NDArray[np.int64], items: NDArray[np.int32]
    ) -> "GroundTruth":
        indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(user_ids)))))
        return GroundTruth(indptr.astype(np.int64), items, user_ids, self.n_items)


def build_truth(
    events: pa.Table,
    window: Window,
    user_ids: Sequence[str] | pa.Array,
    item_ids: Sequence[str] | pa.Array,
    target_types: Sequence[str],
) -> GroundTruth:
    """Distinct items with an event of `target_types` in the window, for each of `user_ids`.

    Items that the user had before the window stay in: buying again is what shops live on.

    Args:
        events: Columns `user_id item_id event_type event_at`; other users' rows are passed over.
        window: Start inclusive, end exclusive.
        user_ids: Distinct users, in the order of the rows of the result.
        item_ids: Distinct items in catalogue order; item index = position.
        target_types: Event types that count as a wish fulfilled, such as `purchase`.
    """
    users, items = distinct(user_ids, "user_ids"), distinct(item_ids, "item_ids")
    in_window = window.contains(instants(events))
    wanted = pc.is_in(events["event_type"], pa.array(target_types, pa.string()))
    kept = events.select(["user_id", "item_id"]).filter(pc.and_(wanted, pa.array(in_window)))
    kept = kept.filter(pc.is_valid(kept["item_id"]))
    rows = positions(kept["user_id"], users)
    names = strings(kept["item_id"])
    columns = positions(names, items)
    unlisted = columns < 0
    if unlisted.any():
        columns[unlisted] = len(items) + _codes(names.filter(pa.array(unlisted)))
    rows, columns = rows[rows >= 0], columns[rows >= 0]
    stride = max(len(items), int(columns.max(initial=-1)) + 1, 1)
    pairs = np.unique(rows * stride + columns)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(pairs // stride, minlength=len(users)))))
    return GroundTruth(indptr.astype(np.int64), (pairs % stride).astype(np.int32), users, len(items))


def events_per_user(events: pa.Table, user_ids: Sequence[str] | pa.Array) -> NDArray[np.int64]:
    """How many of the events each user has, `[n_users]`: of those before the cutoff, the history's length."""
    users = distinct(user_ids, "user_ids")
    rows = positions(events["user_id"], users)
    return np.bincount(rows[rows >= 0], minlength=len(users)).astype(np.int64)


def instants(events: pa.Table) -> NDArray[np.datetime64]:
    """The events' `event_at` as zoneless UTC microseconds, `[n]`."""
    column = events["event_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    return np.asarray(column.to_numpy(), "datetime64[us]")


def positions(values: pa.Array | pa.ChunkedArray, among: pa.Array) -> NDArray[np.int64]:
    """Position of each value `[n]` in `among`, -1 where it is not there."""
    found = pc.index_in(strings(values), value_set=among)
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def distinct(ids: Sequence[str] | pa.Array, name: str) -> pa.StringArray:
    """The ids as an Arrow array; raises `EvaluationError` naming `name` where one comes twice or is null."""
    array = strings(ids)
    if array.null_count or len(pc.unique(array)) != len(array):
        raise EvaluationError(
            f"expected {name} to be distinct and without nulls, received {len(array)} values of which "
            f"{len(pc.unique(array))} are distinct"
        )
    return array


def _codes(values: pa.Array) -> NDArray[np.int64]:
    codes = values.dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)


def strings(values: Sequence[str | None] | pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """The values as one Arrow array of strings."""
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        return pa.array(values, pa.string())
    chunked = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return pa.concat_arrays([*chunked.cast(pa.string()).chunks, pa.array([], pa.string())])
