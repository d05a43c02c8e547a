"""Which items a request admits at all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that every item of an answer must meet."""

    category: str | None = None
    """A category path or the beginning of one, whole levels, whatever the letters' case."""
    brands: tuple[str, ...] = ()
    """Any of these brands; empty = all."""
    min_price: float | None = None
    """Inclusive; an item without a price does not meet a wish about price."""
    max_price: float | None = None
    in_stock_only: bool = True
    """Leave out what the catalogue marks as not available."""
    exclude_ids: tuple[str, ...] = ()
    """Items that must not be in the answer; unknown ones are ignored."""

    def mask(self, bundle: Bundle) -> npt.NDArray[np.bool_] | None:
        """[n] which items are admitted; None when all are."""
        catalogue = bundle.catalogue
        parts: list[npt.NDArray[np.bool_]] = []
        if self.category and self.category.strip(" >"):
            parts.append(catalogue.within(self.category))
        if self.brands:
            parts.append(catalogue.of_brands(self.brands))
        if self.min_price is not None:
            parts.append(catalogue.price >= self.min_price)
        if self.max_price is not None:
            parts.append(catalogue.price <= self.max_price)
        if self.in_stock_only and not catalogue.all_available:
            parts.append(catalogue.available)
        excluded = bundle.indices_of(self.exclude_ids)
        if not parts and not (excluded >= 0).any():
            return None
        admitted = np.ones(bundle.n_items, bool)
        for part in parts:
            admitted &= part
        admitted[excluded[excluded >= 0]] = False
        return admitted
