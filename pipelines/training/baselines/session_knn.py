"""Session-kNN: sequences like the asking one, and what stood beside the common items in them.

V-SKNN (Ludewig and Jannach, 2018) and STAN (Garg et al., 2019), which differ in what order and age count.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import DAY_S
from pipelines.training.data import Histories

LENGTH = 50
"""Last events of a sequence that are looked at."""

ROW_BATCH_SIZE = 4_000_000
"""Items of neighbours scored at once: bounds the memory of a block."""

Order = Literal["vsknn", "stan"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Distinct items of the last events of each of S sequences, each at its last place."""

    indptr: npt.NDArray[np.int64]
    """[S + 1]"""
    items: npt.NDArray[np.int64]
    """[E] item indices."""
    places: npt.NDArray[np.int64]
    """[E] later events in the sequence: 0 for the newest."""

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """[S] items of each sequence."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """[E] which sequence each item is of."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.sizes)

    @classmethod
    def of(cls, histories: Histories, n_items: int) -> Self:
        """The last `LENGTH` events of each history."""
        places, rows = histories.places, histories.rows
        late = places < LENGTH
        keys = rows[late] * np.int64(n_items) + histories.items[late]
        order = np.lexsort((places[late], keys))
        first = np.ones(len(order), bool)
        first[1:] = keys[order][1:] != keys[order][:-1]
        kept = order[first]
        kept_rows, items = np.divmod(keys[kept], n_items)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(kept_rows, minlength=len(histories)))))
        return cls(indptr, items, places[late][kept])

    def matrix(self, values: npt.NDArray[np.float64], n_items: int) -> sp.csr_matrix:
        """[S, n_items] with these values `[E]`."""
        return sp.csr_matrix((values, self.items, self.indptr), (len(self.sizes), n_items))


@dataclass(frozen=True, slots=True)
class SessionKnn:
    """All known users' sequences, of which those most like the asking one speak."""

    sequences: Sequences
    by_item: sp.csr_matrix
    """[n, S] 1 where the sequence holds the item."""
    ended_at_s: npt.NDArray[np.int64]
    """[S] unix seconds of each sequence's last event."""
    ties: npt.NDArray[np.uint64]
    """[S] a number made from what a sequence holds: it decides between equally near and equally old ones."""
    order: Order
    neighbours: int
    """Sequences that are asked."""
    memory: float
    """STAN: places after which an event of the asking sequence counts 1/e."""
    reach: float
    """STAN: places from a common item at which an item of a neighbour counts 1/e."""
    half_life_days: float | None
    """Days after which a neighbour counts half; None for never."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        order: Order = "vsknn",
        neighbours: int = 100,
        memory: float = 3.0,
        reach: float = 5.0,
        half_life_days: float | None = None,
    ) -> Self:
        """Keep the last events of everybody; row s is user s."""
        users = np.arange(known.n_users)
        histories = Histories.of(known.interactions, users, np.full(len(users), np.iinfo(np.int64).max))
        sequences = Sequences.of(histories, known.n_items)
        ended = np.zeros(known.n_users, np.int64)
        some = histories.sizes > 0
        ended[some] = histories.times[histories.indptr[1:][some] - 1]
        by_item = sequences.matrix(np.ones(len(sequences.items)), known.n_items).T.tocsr()
        return cls(
            sequences, by_item, ended, _digests(sequences), order, neighbours, memory, reach, half_life_days
        )

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] sums over the nearest other sequences of similarity times nearness to the common items."""
        n_items = self.by_item.shape[0]
        asking = Sequences.of(histories, n_items)
        users, neighbours, similar = self._nearest(asking, histories)
        scores = np.zeros((len(histories), n_items), np.float32)
        rows_until = np.cumsum(self.sequences.sizes[neighbours])
        cuts = np.searchsorted(rows_until, np.arange(0, rows_until[-1:].sum(), ROW_BATCH_SIZE)[1:])
        for part in np.split(np.arange(len(users)), cuts):
            self._add(scores, asking, users[part], neighbours[part], similar[part])
        return scores

    def _nearest(
        self, asking: Sequences, histories: Histories
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Pairs of asking sequence and neighbour, and their similarity: at most `neighbours` for each."""
        sizes = asking.sizes[asking.rows]
        if self.order == "vsknn":
            values = (sizes - np.minimum(asking.places, sizes - 1)) / sizes / sizes
        else:
            values = np.exp(-asking.places / self.memory) / np.sqrt(sizes)
        pairs = (asking.matrix(values, self.by_item.shape[0]) @ self.by_item).tocoo()
        other = pairs.col != histories.users[pairs.row]
        users, found, similar = pairs.row[other].astype(np.int64), pairs.col[other], pairs.data[other]
        if self.order == "stan":
            similar = similar / np.sqrt(self.sequences.sizes[found])
        if self.half_life_days is not None:
            apart_s = np.abs(histories.at_s[users] - self.ended_at_s[found])
            similar = similar * np.exp2(-apart_s / (self.half_life_days * DAY_S))
        # Rounded, so that the order in which a sum was made decides nothing.
        rounded = np.round(similar, 9)
        order = np.lexsort((self.ties[found], -self.ended_at_s[found], -rounded, users))
        users, found, similar = users[order], found[order].astype(np.int64), similar[order]
        near = np.arange(len(users)) - np.searchsorted(users, users) < self.neighbours
        return users[near], found[near], similar[near]

    def _add(
        self,
        scores: npt.NDArray[np.float32],
        asking: Sequences,
        users: npt.NDArray[np.int64],
        neighbours: npt.NDArray[np.int64],
        similar: npt.NDArray[np.float64],
    ) -> None:
        """Add what the neighbours `[P]` say to the scores of their asking users `[P]`."""
        if len(users) == 0:
            return
        n_items, sizes = scores.shape[1], self.sequences.sizes[neighbours]
        pairs, starts = np.repeat(np.arange(len(users)), sizes), np.cumsum(sizes) - sizes
        rows = (self.sequences.indptr[neighbours] - starts)[pairs] + np.arange(len(pairs))
        items, places = self.sequences.items[rows], self.sequences.places[rows]
        keys, held = users[pairs] * np.int64(n_items) + items, asking.rows * np.int64(n_items) + asking.items
        found = np.minimum(np.searchsorted(held, keys), len(held) - 1)
        common = held[found] == keys
        # The newest common item of each pair: its place in the asking sequence, then in the neighbour.
        both = np.where(common, asking.places[found] * np.int64(LENGTH) + places, LENGTH * LENGTH)
        newest = np.minimum.reduceat(both, starts)
        asked_place, place = np.divmod(newest, LENGTH)
        if self.order == "vsknn":
            said = (similar / (asked_place + 1))[pairs]
        else:
            said = similar[pairs] * np.exp(-np.abs(places - place[pairs]) / self.reach)
        block = sp.csr_matrix((said, (users[pairs], items)), scores.shape)
        scores[np.repeat(np.arange(len(scores)), np.diff(block.indptr)), block.indices] += block.data


def _digests(sequences: Sequences) -> npt.NDArray[np.uint64]:
    """[S] sums of a hash of each item at its place: the same for sequences that hold the same."""
    mixed = (
        sequences.items.astype(np.uint64) * np.uint64(LENGTH)
        + sequences.places.astype(np.uint64)
        + np.uint64(1)
    )
    # The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    totals = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed ^ (mixed >> np.uint64(31)))))
    return np.asarray(totals[sequences.indptr[1:]] - totals[sequences.indptr[:-1]], np.uint64)
