"""How varied the lists are: novelty and diversity per list, coverage and evenness over the catalogue."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.item_facts import Catalogue
from pipelines.evaluation.metrics import PerUser, lengths_within


def list_variety(
    recommended: NDArray[np.integer], catalogue: Catalogue, ks: Sequence[int] = (5, 10, 20)
) -> PerUser:
    """Novelty and diversity of each list `[n_users, list_length]`; NaN where a list has nothing to measure.

    - `novelty@k`: mean surprise -log2(share of all wishes) of the listed items, in bits, every item counted
      once more than it was wished for (Vargas and Castells 2011, with add-one smoothing).
    - `diversity@k`: share of the pairs of listed items whose categories differ, of those pairs whose
      categories are known (one minus the intra-list similarity of Ziegler et al. 2005).
    """
    listed = recommended >= 0
    items = np.where(listed, recommended, 0)
    share = (catalogue.popularity + 1) / (catalogue.popularity.sum() + catalogue.n_items)
    surprise = np.cumsum(np.where(listed, -np.log2(share)[items], 0), axis=1)
    filled = np.cumsum(listed, axis=1)
    codes = np.where(listed, catalogue.categories[items], -1)
    alike = np.cumsum(_alike_so_far(codes), axis=1)
    known = np.cumsum(codes >= 0, axis=1)
    values: PerUser = {}
    for k in lengths_within(ks, recommended):
        pairs = known[:, k - 1] * (known[:, k - 1] - 1) / 2
        values[f"novelty@{k}"] = _ratio(surprise[:, k - 1], filled[:, k - 1])
        values[f"diversity@{k}"] = 1 - _ratio(alike[:, k - 1], pairs)
    return values


def catalogue_variety(
    recommended: NDArray[np.integer], catalogue: Catalogue, ks: Sequence[int] = (5, 10, 20)
) -> dict[str, float]:
    """How much of the catalogue the lists `[n_users, list_length]` show, and how evenly.

    - `coverage@k`: distinct listed items / items of the catalogue.
    - `reachable_coverage@k`: distinct listed items / the most that these lists could show, which is the
      smaller of the catalogue and the number of filled places; comparable between small and large shops.
    - `gini@k`: 0 where every item of the catalogue is listed equally often, near 1 where one item takes all.
    """
    values: dict[str, float] = {}
    for k in lengths_within(ks, recommended):
        top = recommended[:, :k]
        shown = np.bincount(top[top >= 0], minlength=catalogue.n_items)
        distinct, places = int(np.count_nonzero(shown)), int(shown.sum())
        values[f"coverage@{k}"] = distinct / catalogue.n_items
        values[f"reachable_coverage@{k}"] = distinct / max(1, min(catalogue.n_items, places))
        values[f"gini@{k}"] = gini(shown)
    return values


def gini(amounts: NDArray[np.integer] | NDArray[np.floating]) -> float:
    """Gini coefficient of amounts `[n]`, at least 0 each; 0 where all are 0 (Dorfman 1979)."""
    ordered = np.sort(np.asarray(amounts, np.float64))
    n, total = len(ordered), float(ordered.sum())
    if not total:
        return 0.0
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * total) - (n + 1) / n)


def _alike_so_far(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """For each position, how many earlier ones hold the same known category, `[n_users, list_length]`."""
    alike = np.zeros(codes.shape, np.int64)
    for position in range(1, codes.shape[1]):
        own = codes[:, position : position + 1]
        alike[:, position] = ((codes[:, :position] == own) & (own >= 0)).sum(axis=1)
    return alike


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return shares
