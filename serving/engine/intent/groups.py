"""Groups of items that a session may be after: top categories and price bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.bundle import levels_of

MOST_CATEGORIES = 32
"""Top categories with a code of their own; items of rarer ones have none."""

PRICE_BANDS = 5
"""Price bands, each with about as many items."""


@dataclass(frozen=True, slots=True)
class ItemGroups:
    """The categories and price bands of a shop, each group's code its 1-based place."""

    categories: tuple[str, ...]
    """Names of top categories, the largest first."""
    price_edges: tuple[float, ...]
    """Ascending prices that part the bands: a price equal to an edge is of the upper band."""

    @classmethod
    def fit(cls, categories: pa.Array, prices: pa.Array) -> Self:
        """The groups of a catalogue: `categories` (paths) and `prices` [I], nulls where unknown."""
        tops = pa.array(_tops(categories), pa.string())
        counts = pc.value_counts(tops.drop_null())
        ranked = sorted(
            zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True),
            key=lambda entry: (-entry[1], entry[0]),
        )
        known = prices.cast(pa.float64()).drop_null().to_numpy(zero_copy_only=False)
        known = known[np.isfinite(known)]
        cuts = np.arange(1, PRICE_BANDS) / PRICE_BANDS
        edges = np.unique(np.quantile(known, cuts)) if len(known) else np.zeros(0)
        return cls(tuple(name for name, _ in ranked[:MOST_CATEGORIES]), tuple(float(edge) for edge in edges))

    @property
    def sizes(self) -> tuple[int, int]:
        """How many categories and how many price bands there are."""
        return len(self.categories), len(self.price_edges) + 1 if self.price_edges else 0

    def codes(self, categories: pa.Array, prices: pa.Array) -> npt.NDArray[np.int32]:
        """[I, 2] each item's category code and price band code; 0 = unknown."""
        codes = np.zeros((len(categories), 2), np.int32)
        if self.categories:
            found = pc.index_in(pa.array(_tops(categories), pa.string()), value_set=pa.array(self.categories))
            codes[:, 0] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False) + 1
        if self.price_edges:
            values = pc.fill_null(prices.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
            bands = np.searchsorted(np.array(self.price_edges), values, "right") + 1
            codes[:, 1] = np.where(np.isfinite(values), bands, 0)
        return codes

    def price_range(self, band: int) -> tuple[float | None, float | None]:
        """Least and greatest price of a band by its 1-based code, None = without limit."""
        edges = (None, *self.price_edges, None)
        return edges[band - 1], edges[band]


def _tops(categories: pa.Array) -> Sequence[str | None]:
    """The first level of each category path."""
    distinct = categories.dictionary_encode()
    names = [(levels_of(name) or (None,))[0] for name in distinct.dictionary.to_pylist()]
    return [None if code is None else names[code] for code in distinct.indices.to_pylist()]
