"""Neighbours of items: the nearest few of each, as lists that a release ships and as a matrix that scores."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

BLOCK_VALUES = 16_000_000
"""Similarities computed at once: bounds the memory of a block."""

BLOCK_ROWS = 2_000
"""Items of one block; with their number in the upper bits a pair's sort key fits 63 bits."""

SIMILARITY_STEPS = (1 << 24) - 1
"""Levels of similarity in a pair's sort key, as fine as a float32."""

Similarity = Literal["cosine", "euclid"]


@dataclass(frozen=True, slots=True)
class ItemNeighbours:
    """The nearest items of every item."""

    items: npt.NDArray[np.int32]
    """[n, M] item indices, best first, -1 = none."""
    scores: npt.NDArray[np.float32]
    """[n, M] similarities, 0 where there is none."""

    @classmethod
    def largest(cls, matrix: sp.csr_matrix, neighbours: int) -> Self:
        """The columns of the largest values above 0 of each row `[n, n]`, the item itself left out."""
        near = cls.none(matrix.shape[0], neighbours)
        for start in range(0, matrix.shape[0], BLOCK_ROWS):
            near.fill(start, matrix[start : start + BLOCK_ROWS])
        return near

    def fill(self, start: int, block: sp.csr_matrix) -> None:
        """Write the neighbours of the items from `start` on out of their similarities to all `[rows, n]`."""
        pairs = block.tocoo()
        wanted = (pairs.data > 0) & (pairs.row + start != pairs.col)
        rows, columns, values = pairs.row[wanted], pairs.col[wanted], pairs.data[wanted]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        places = np.arange(len(rows)) - np.searchsorted(rows, rows)
        best = places < self.items.shape[1]
        self.items[rows[best] + start, places[best]] = columns[best]
        self.scores[rows[best] + start, places[best]] = values[best]

    @classmethod
    def none(cls, n_items: int, neighbours: int) -> Self:
        """Lists with room for so many neighbours, and none in them yet."""
        items = np.full((n_items, neighbours), -1, np.int32)
        return cls(items, np.zeros(items.shape, np.float32))

    def matrix(self) -> sp.csr_matrix:
        """[n, n] row i holds the scores of item i's neighbours."""
        rows, places = np.nonzero(self.items >= 0)
        values = (self.scores[rows, places], (rows, self.items[rows, places]))
        return sp.csr_matrix(values, (len(self.items), len(self.items)), np.float32)


def overlapping(
    groups: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    n_groups: int,
    n_items: int,
    neighbours: int,
    shrinkage: float,
    minimum_common: int,
    *,
    values: npt.NDArray[np.float32] | None = None,
    similarity: Similarity = "cosine",
) -> ItemNeighbours:
    """Neighbours of items by the groups (users, baskets) that hold both.

    With an item's column of values as its vector:

        cosine(i, j) = dot(i, j) / (|i| |j| + shrinkage * mean squared value)
        euclid(i, j) = 1 / (1 + |i - j|) * common groups / (common groups + shrinkage)

    Args:
        groups: [P] the groups of distinct pairs of group and item.
        items: [P] the pairs' items.
        n_groups: Number of groups.
        n_items: Items of the catalogue.
        neighbours: Kept per item (M).
        shrinkage: Groups' worth of doubt, so that few common groups say little.
        minimum_common: Items that share fewer groups are no neighbours.
        values: [P] what each pair counts, above 0; 1 if left out.
        similarity: How near two items are.
    """
    sizes = np.bincount(items, minlength=n_items)
    frequent = np.flatnonzero(sizes >= minimum_common)
    near = ItemNeighbours.none(n_items, neighbours)
    column_of = np.full(n_items, -1, np.int64)
    column_of[frequent] = np.arange(len(frequent))
    inside = column_of[items] >= 0
    places = (groups[inside], column_of[items[inside]])
    counted = np.ones(inside.sum(), np.float32)
    held = sp.csr_matrix((counted, places), (n_groups, len(frequent)))
    valued = held if values is None else sp.csr_matrix((values[inside], places), held.shape)
    squares = np.asarray(valued.multiply(valued).sum(axis=0), np.float64).ravel()
    doubt = shrinkage * float(squares.sum()) / max(held.nnz, 1)
    by_item, valued_by_item = held.T.tocsr(), valued.T.tocsr()
    step = min(BLOCK_ROWS, max(1, BLOCK_VALUES // max(len(frequent), 1)))
    for start in range(0, len(frequent), step):
        shared = by_item[start : start + step] @ held
        # The same places in the same order, since both products run over the same pairs.
        dots = shared if values is None else valued_by_item[start : start + step] @ valued
        pairs = shared.tocoo()
        kept = (pairs.data >= minimum_common) & (pairs.row + start != pairs.col)
        rows, columns = pairs.row[kept].astype(np.int64), pairs.col[kept].astype(np.int64)
        common, dot = pairs.data[kept], dots.data[kept]
        here, there = squares[rows + start], squares[columns]
        if similarity == "cosine":
            similar = dot / (np.sqrt(here) * np.sqrt(there) + doubt)
        else:
            apart = np.sqrt(np.maximum(here + there - 2.0 * dot, 0))
            similar = common / (common + shrinkage) / (1 + apart)
        # Sorting one number per pair is several times faster than sorting by three columns.
        far = (np.clip(1 - similar, 0, 1) * SIMILARITY_STEPS).astype(np.int64)
        order = np.sort(rows << 52 | far << 28 | columns)
        rows, columns = order >> 52, order & (1 << 28) - 1
        similar = 1 - (order >> 28 & SIMILARITY_STEPS) / SIMILARITY_STEPS
        places_of = np.arange(len(rows)) - np.searchsorted(rows, rows)
        best = places_of < neighbours
        near.items[frequent[rows[best] + start], places_of[best]] = frequent[columns[best]]
        near.scores[frequent[rows[best] + start], places_of[best]] = similar[best]
    return near


def largest_of_rows(matrix: sp.csr_matrix, limit: int) -> sp.csr_matrix:
    """The `limit` largest values of each row, and all that equal the last of them: order decides nothing."""
    sizes = np.diff(matrix.indptr)
    if sizes.max(initial=0) <= limit:
        return matrix
    rows = np.repeat(np.arange(matrix.shape[0]), sizes)
    order = np.lexsort((-matrix.data, rows))
    crowded = np.flatnonzero(sizes > limit)
    least = np.full(matrix.shape[0], -np.inf, matrix.dtype)
    least[crowded] = matrix.data[order[matrix.indptr[crowded] + limit - 1]]
    kept = matrix.data >= least[rows]
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows[kept], minlength=matrix.shape[0]))))
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), matrix.shape)
