"""Content: items that are described like what the user took lately, by the cosine of their TF-IDF vectors."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in
from pipelines.training.baselines.neighbours import ItemNeighbours
from pipelines.training.baselines.text_terms import term_vectors
from pipelines.training.data import Histories

MOST_PAIRS = 30_000_000
"""Pairs of items with a term in common that are looked at; terms beyond them are shared by too many items to
name the nearest few."""

PAIRS_OF_ITEM = 300
"""So many for each item are looked at where that is more: else next to no item of a million had any."""

PAIR_BATCH_SIZE = 1_000_000
"""Of these, looked at in one go: bounds the memory."""


@dataclass(frozen=True, slots=True)
class Content:
    """All items' vectors, which need no event at all."""

    vectors: sp.csr_matrix
    """[n, terms] of length at most 1."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(cls, known: FitData, *, place_decay: float = 0.7) -> Self:
        """Read the catalogue."""
        return cls(term_vectors(known.catalogue), known.weights, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] sums over the history of each event's decayed weight times the cosine to its item."""
        had = interests_in(histories, self.vectors.shape[0], self.weights, place_decay=self.place_decay)
        return np.asarray(((had @ self.vectors) @ self.vectors.T).toarray(), np.float32)


def similar_items(catalogue: pa.Table, *, neighbours: int = 30) -> ItemNeighbours:
    """The items described most like each item, for a release to ship."""
    n_items = catalogue.num_rows
    vectors = term_vectors(catalogue)
    most = max(MOST_PAIRS, PAIRS_OF_ITEM * n_items)
    vectors = vectors[:, _telling(vectors.getnnz(axis=0), most)]
    near, by_term = ItemNeighbours.none(n_items, neighbours), sp.csr_matrix(vectors.T)
    starts = _block_starts(vectors)
    for start, end in pairwise([*starts, n_items]):
        near.fill(start, vectors[start:end] @ by_term)
    return near


def _block_starts(vectors: sp.csr_matrix) -> list[int]:
    """First rows of blocks that look at about as many pairs each, however many items there are."""
    here = sp.csr_matrix((np.ones(vectors.nnz, np.int64), vectors.indices, vectors.indptr), vectors.shape)
    pairs = np.cumsum(here @ vectors.getnnz(axis=0).astype(np.int64))
    blocks = (np.append(0, pairs[:-1]) if len(pairs) else pairs) // PAIR_BATCH_SIZE
    return np.flatnonzero(np.diff(blocks, prepend=-1)).tolist()


def _telling(shared: npt.NDArray[np.integer], most: int) -> npt.NDArray[np.bool_]:
    """Which terms, of so many items each, are so rare that their pairs, `most` in all, can be looked at."""
    rarest = np.argsort(shared, kind="stable")
    within = np.cumsum(shared[rarest].astype(np.int64) ** 2) <= most
    telling = np.zeros(len(shared), bool)
    telling[rarest[within]] = True
    return telling
