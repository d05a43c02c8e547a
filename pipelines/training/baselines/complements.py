"""Complements: items that go into one basket together, beyond what their popularity explains."""

import numpy as np

from pipelines.training.baselines.neighbours import ItemNeighbours, overlapping
from pipelines.training.data import Interactions


def bought_together(
    interactions: Interactions,
    n_items: int,
    *,
    complements: int = 20,
    shrinkage: float = 10.0,
    minimum_common: int = 3,
    basket_items: int = 60,
) -> ItemNeighbours:
    """The items that share most baskets with each item, by cosine similarity with shrinkage.

    Args:
        interactions: Rows before the request, of the types that fill a basket.
        n_items: Items of the catalogue.
        complements: Kept per item.
        shrinkage: Added to the denominator, so that few common baskets say little.
        minimum_common: Items that share fewer baskets are no complements.
        basket_items: Baskets with more different items than this say little about pairs and are left out.
    """
    baskets, basket_rows = np.unique(interactions.baskets, return_inverse=True)
    pairs = np.unique(basket_rows * np.int64(n_items) + interactions.items)
    groups, items = np.divmod(pairs, n_items)
    sizes = np.bincount(groups, minlength=len(baskets))[groups]
    useful = (sizes > 1) & (sizes <= basket_items)
    return overlapping(
        groups[useful], items[useful], len(baskets), n_items, complements, shrinkage, minimum_common
    )
