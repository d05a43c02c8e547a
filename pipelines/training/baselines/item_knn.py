"""Item-kNN: items that the same users took, by cosine similarity with shrinkage (Sarwar et al., 2001)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.shop import Interactions

BLOCK_VALUES = 16_000_000
"""Similarities computed at once: bounds the memory of a block."""

BLOCK_ROWS = 2_000
"""Items of one block; with their number in the upper bits a pair's sort key fits 63 bits."""

SIMILARITY_STEPS = (1 << 24) - 1
"""Levels of similarity in a pair's sort key, as fine as a float32."""


@dataclass(frozen=True, slots=True)
class ItemNeighbours:
    """The nearest items of every item."""

    items: npt.NDArray[np.int32]
    """[n, M] item indices, best first, -1 = none."""
    scores: npt.NDArray[np.float32]
    """[n, M] similarities, 0 where there is none."""


@dataclass(frozen=True, slots=True)
class ItemKnn:
    """Users' interests, spread to the neighbours of what they took."""

    interests: sp.csr_matrix
    """[n_users, n_items] log(1 + weighted count)."""
    similarities: sp.csr_matrix
    """[n_items, n_items] row i holds the neighbours of item i, and i itself with 1."""

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        n_users: int,
        n_items: int,
        weights: npt.NDArray[np.float64],
        neighbours: ItemNeighbours,
    ) -> Self:
        """Interests of all users in the items of their interactions, and the neighbours that inherit them."""
        pairs, inverse = np.unique(
            interactions.users * np.int64(n_items) + interactions.items, return_inverse=True
        )
        strength = np.log1p(np.bincount(inverse, weights[interactions.types], len(pairs)))
        interests = sp.csr_matrix((strength, np.divmod(pairs, n_items)), (n_users, n_items), np.float32)
        at_item, at_place = np.nonzero(neighbours.items >= 0)
        similar = sp.csr_matrix(
            (neighbours.scores[at_item, at_place], (at_item, neighbours.items[at_item, at_place])),
            (n_items, n_items),
            np.float32,
        )
        return cls(interests, (similar + sp.identity(n_items, np.float32, format="csr")).tocsr())

    def recommend(self, users: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
        """[U, k] items of the largest sums of interest times similarity, best first, -1 behind them.

        What a user took already may come again: it is its own nearest neighbour.
        """
        lists = np.full((len(users), k), -1, np.int32)
        step = max(1, BLOCK_VALUES // max(self.similarities.shape[0], 1))
        for start in range(0, len(users), step):
            scores = (self.interests[users[start : start + step]] @ self.similarities).toarray()
            best, values = _largest(scores, k)
            lists[start : start + step, : best.shape[1]] = np.where(values > 0, best, -1)
        return lists


def nearest_items(
    interactions: Interactions,
    n_users: int,
    n_items: int,
    *,
    neighbours: int = 30,
    shrinkage: float = 10.0,
    minimum_common: int = 2,
    items_per_user: int = 300,
) -> ItemNeighbours:
    """The items whose users overlap most with each item's users.

    similarity(i, j) = users of both / (sqrt(users of i * users of j) + shrinkage)

    Args:
        interactions: Rows before the request.
        n_users: Rows of users.
        n_items: Items of the catalogue.
        neighbours: Kept per item (M).
        shrinkage: Added to the denominator, so that few common users say little.
        minimum_common: Items that share fewer users are no neighbours.
        items_per_user: Items that a user took most often; the others are left out, since the cost grows with
            their square and a user of thousands of items says little about any two.
    """
    groups = interactions.users * np.int64(n_items) + interactions.items
    pairs, counts = np.unique(groups, return_counts=True)
    users, items = np.divmod(pairs, n_items)
    order = np.lexsort((-counts, users))
    places = np.arange(len(order)) - np.searchsorted(users, np.arange(n_users))[users]
    kept = order[places < items_per_user]
    return overlapping(users[kept], items[kept], n_users, n_items, neighbours, shrinkage, minimum_common)


def overlapping(
    groups: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    n_groups: int,
    n_items: int,
    neighbours: int,
    shrinkage: float,
    minimum_common: int,
) -> ItemNeighbours:
    """Neighbours of items by the groups (users, baskets) that hold both.

    Args:
        groups: [P] the groups of distinct pairs of group and item.
        items: [P] the pairs' items.
        n_groups: Number of groups.
        n_items: Items of the catalogue.
        neighbours: Kept per item (M).
        shrinkage: Added to the denominator.
        minimum_common: Items that share fewer groups are no neighbours.
    """
    sizes = np.bincount(items, minlength=n_items)
    frequent = np.flatnonzero(sizes >= minimum_common)
    near = ItemNeighbours(
        np.full((n_items, neighbours), -1, np.int32), np.zeros((n_items, neighbours), np.float32)
    )
    column_of = np.full(n_items, -1, np.int64)
    column_of[frequent] = np.arange(len(frequent))
    inside = column_of[items] >= 0
    held = sp.csr_matrix(
        (np.ones(inside.sum(), np.float32), (groups[inside], column_of[items[inside]])),
        (n_groups, len(frequent)),
    )
    by_item, norms = held.T.tocsr(), np.sqrt(sizes[frequent])
    step = min(BLOCK_ROWS, max(1, BLOCK_VALUES // max(len(frequent), 1)))
    for start in range(0, len(frequent), step):
        common = (by_item[start : start + step] @ held).tocoo()
        rows, columns = common.row.astype(np.int64), common.col.astype(np.int64)
        kept = (common.data >= minimum_common) & (rows + start != columns)
        rows, columns, common = rows[kept], columns[kept], common.data[kept]
        similar = common / (norms[rows + start] * norms[columns] + shrinkage)
        # Sorting one number per pair is several times faster than sorting by three columns.
        far = ((1 - similar) * SIMILARITY_STEPS).astype(np.int64)
        order = np.sort(rows << 52 | far << 28 | columns)
        rows, columns = order >> 52, order & (1 << 28) - 1
        similar = 1 - (order >> 28 & SIMILARITY_STEPS) / SIMILARITY_STEPS
        places = np.arange(len(rows)) - np.searchsorted(rows, rows)
        best = places < neighbours
        near.items[frequent[rows[best] + start], places[best]] = frequent[columns[best]]
        near.scores[frequent[rows[best] + start], places[best]] = similar[best]
    return near


def _largest(
    values: npt.NDArray[np.float32], k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """[R, k] columns of the largest values of each row, best first, and the values."""
    k = min(k, values.shape[1])
    top = np.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :]
    found = np.take_along_axis(values, top, 1)
    order = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(top, order, 1), np.take_along_axis(found, order, 1)
