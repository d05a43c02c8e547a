"""Item-kNN: items that the same users took (Sarwar et al., 2001), with shrinkage and weighting."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in
from pipelines.training.baselines.neighbours import ItemNeighbours, Similarity, overlapping
from pipelines.training.data import Histories, Interactions

__all__ = ["ItemKnn", "ItemNeighbours", "nearest_items", "overlapping"]

Weighting = Literal["none", "tfidf", "bm25"]

BM25_K1, BM25_B = 1.2, 0.75
"""How soon more events say no more, and how much a popular item's length is held against it."""


@dataclass(frozen=True, slots=True)
class ItemKnn:
    """Users' interests, spread to the neighbours of what they took."""

    similarities: sp.csr_matrix
    """[n, n] row i holds the neighbours of item i, and i itself with 1."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        neighbours: int = 30,
        shrinkage: float = 10.0,
        minimum_common: int = 2,
        weighting: Weighting = "none",
        similarity: Similarity = "cosine",
        place_decay: float = 1.0,
    ) -> Self:
        """Find the neighbours of all items; see `nearest_items`."""
        near = nearest_items(
            known.interactions,
            known.n_users,
            known.n_items,
            neighbours=neighbours,
            shrinkage=shrinkage,
            minimum_common=minimum_common,
            weighting=weighting,
            similarity=similarity,
        )
        return cls.of(near, known.weights, place_decay)

    @classmethod
    def of(cls, near: ItemNeighbours, weights: npt.NDArray[np.float64], place_decay: float = 1.0) -> Self:
        """A recommender from lists of neighbours, whoever made them."""
        own = sp.identity(len(near.items), np.float32, format="csr")
        return cls((near.matrix() + own).tocsr(), weights, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] sums over the history of log(1 + interest) times similarity.

        What a user took already may come again: it is its own nearest neighbour.
        """
        interests = interests_in(
            histories, self.similarities.shape[0], self.weights, place_decay=self.place_decay
        ).log1p()
        return np.asarray((interests @ self.similarities).toarray(), np.float32)


def nearest_items(
    interactions: Interactions,
    n_users: int,
    n_items: int,
    *,
    neighbours: int = 30,
    shrinkage: float = 10.0,
    minimum_common: int = 2,
    items_per_user: int = 300,
    weighting: Weighting = "none",
    similarity: Similarity = "cosine",
) -> ItemNeighbours:
    """The items whose users overlap most with each item's users; the formulas are with `overlapping`.

    Args:
        interactions: Rows before the request.
        n_users: Rows of users.
        n_items: Items of the catalogue.
        neighbours: Kept per item (M).
        shrinkage: Users' worth of doubt, so that few common users say little.
        minimum_common: Items that share fewer users are no neighbours.
        items_per_user: Items that a user took most often; the others are left out, since the cost grows with
            their square and a user of thousands of items says little about any two.
        weighting: What a user counts in an item's vector; see `_values`.
        similarity: How near two items' vectors are.
    """
    groups = interactions.users * np.int64(n_items) + interactions.items
    pairs, counts = np.unique(groups, return_counts=True)
    users, items = np.divmod(pairs, n_items)
    order = np.lexsort((-counts, users))
    places = np.arange(len(order)) - np.searchsorted(users, np.arange(n_users))[users]
    kept = order[places < items_per_user]
    users, items, counts = users[kept], items[kept], counts[kept]
    values = _values(users, items, counts, n_users, n_items, weighting)
    return overlapping(
        users,
        items,
        n_users,
        n_items,
        neighbours,
        shrinkage,
        minimum_common,
        values=values,
        similarity=similarity,
    )


def _values(
    users: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    n_users: int,
    n_items: int,
    weighting: Weighting,
) -> npt.NDArray[np.float32] | None:
    """[P] what a pair counts, with items as documents and users as their terms; None where it is 1.

    idf = log(1 + items / items of the user): who takes everything says little.

    - tfidf: sqrt(count) * idf.
    - bm25: count (k1 + 1) / (count + k1 (1 - b + b * item's events / their mean)) * idf (Robertson and
      Zaragoza, 2009).
    """
    if weighting == "none":
        return None
    idf = np.log1p(n_items / np.maximum(np.bincount(users, minlength=n_users), 1))[users]
    if weighting == "tfidf":
        return np.asarray(np.sqrt(counts) * idf, np.float32)
    lengths = np.bincount(items, counts, n_items)
    mean = lengths.sum() / max(np.count_nonzero(lengths), 1)
    long = 1 - BM25_B + BM25_B * lengths[items] / max(mean, 1e-12)
    return np.asarray(counts * (BM25_K1 + 1) / (counts + BM25_K1 * long) * idf, np.float32)
