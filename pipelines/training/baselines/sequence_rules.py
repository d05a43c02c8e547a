"""Sequence rules: who followed whom, nearer ones for more (Kamehkhosh, Jannach and Ludewig, 2017)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in
from pipelines.training.baselines.neighbours import ItemNeighbours
from pipelines.training.data import Histories

GAPS = 30
"""Most places between two events that make a rule."""

MOST_PAIRS = 6_000_000
"""Pairs of events counted; in larger shops only nearer events make rules."""


@dataclass(frozen=True, slots=True)
class SequenceRules:
    """Rules from what a user did to what users did next."""

    rules: sp.csr_matrix
    """[n, n] row i holds the weights of the items that followed item i."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        gap_power: float = 0.5,
        place_decay: float = 0.5,
        popularity_power: float = 0.0,
        backwards: float = 0.0,
    ) -> Self:
        """Count the rules; see `count_rules`."""
        rules = count_rules(known, gap_power, popularity_power, backwards)
        return cls(rules, known.weights, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] sums of the rules of the history's items, newer ones for more."""
        n_items = self.rules.shape[0]
        had = interests_in(histories, n_items, self.weights, place_decay=self.place_decay)
        return np.asarray((had @ self.rules).toarray(), np.float32)


def count_rules(
    known: FitData, gap_power: float = 0.5, popularity_power: float = 0.0, backwards: float = 0.0
) -> sp.csr_matrix:
    """[n, n] how strongly each item (row) was followed by each other one (column).

    rule(i, j) = sum of weight(type of j) / gap ** gap_power, over j at most `GAPS` places behind i
                 / (events of j) ** popularity_power

    Args:
        known: Events to count.
        gap_power: How fast a rule weakens with distance.
        popularity_power: How much an item's popularity is held against it, 0 to 1.
        backwards: Weight of the same pairs read the other way.
    """
    events, shape = known.interactions, (known.n_items, known.n_items)
    rules = sp.csr_matrix(shape, dtype=np.float64)
    most = min(GAPS, max(1, MOST_PAIRS // max(len(events), 1)))
    for gap in range(1, most + 1):
        same = events.users[gap:] == events.users[:-gap]
        if not same.any():
            break
        first, then = events.items[:-gap][same], events.items[gap:][same]
        strength = known.weights[events.types[gap:][same]] / gap**gap_power
        rules = rules + sp.csr_matrix((strength, (first, then)), shape)
        if backwards:
            strength = backwards * known.weights[events.types[:-gap][same]] / gap**gap_power
            rules = rules + sp.csr_matrix((strength, (then, first)), shape)
    if popularity_power:
        popularity = np.maximum(np.bincount(events.items, minlength=known.n_items), 1.0)
        rules = rules @ sp.diags(popularity**-popularity_power)
    return sp.csr_matrix(rules, dtype=np.float32)


def followers(known: FitData, *, neighbours: int = 30, gap_power: float = 0.5) -> ItemNeighbours:
    """The items that most followed each item, for a release to ship; an item's own return is left out."""
    return ItemNeighbours.largest(count_rules(known, gap_power), neighbours)
