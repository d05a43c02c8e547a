"""The catalogue's category paths and brands as codes, so that filters and facets are array operations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = ">"
"""Between the levels of a category path, with or without blanks around it."""
CATEGORY_SEPARATOR = f" {SEPARATOR} "
"""Between the levels of a category path as we write it."""
_NO_CODES = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Codes of what items are filtered, grouped and counted by; code -1 = the item has none."""

    categories: tuple[str, ...]
    """Distinct category paths of items."""
    category_codes: npt.NDArray[np.int32]
    """[n] into `categories`."""
    levels: tuple[tuple[str, ...], ...]
    """For every distinct category, its levels from the top."""
    codes_by_path: Mapping[tuple[str, ...], npt.NDArray[np.int32]]
    """For every path and every beginning of one, case folded: the codes of the categories at or below it."""
    brands: tuple[str, ...]
    brand_codes: npt.NDArray[np.int32]
    """[n] into `brands`."""
    price: npt.NDArray[np.float64]
    """[n], NaN = unknown."""
    available: npt.NDArray[np.bool_]
    all_available: bool

    @classmethod
    def of(cls, items: pa.Table) -> "Catalogue":
        """The catalogue of that table of items."""
        categories, category_codes = _encoded(_without_blanks(items.column("category")))
        brands, brand_codes = _encoded(_without_blanks(items.column("brand")))
        levels = tuple(levels_of(category) for category in categories)
        price = pc.fill_null(items.column("price"), float("nan")).to_numpy()
        available = pc.fill_null(items.column("available"), True).to_numpy()
        return cls(
            categories=categories,
            category_codes=category_codes,
            levels=levels,
            codes_by_path=_codes_by_path(levels),
            brands=brands,
            brand_codes=brand_codes,
            price=np.asarray(price, np.float64),
            available=np.asarray(available, bool),
            all_available=bool(np.all(available)),
        )

    def codes_within(self, levels: Sequence[str]) -> npt.NDArray[np.int32]:
        """Codes of the categories at or below that path, whatever the letters' case."""
        return self.codes_by_path.get(tuple(level.casefold() for level in levels), _NO_CODES)

    def within(self, category: str) -> npt.NDArray[np.bool_]:
        """Items `[n]` whose category path is `category` or lies below it."""
        inside = np.zeros(len(self.categories) + 1, bool)
        inside[self.codes_within(levels_of(category))] = True
        return inside[self.category_codes]

    def of_brands(self, brands: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """Items `[n]` of any of the brands, whatever the letters' case."""
        wanted = {brand.casefold() for brand in brands}
        return np.array([*(brand.casefold() in wanted for brand in self.brands), False])[self.brand_codes]

    @property
    def size(self) -> int:
        """Items in the catalogue."""
        return len(self.category_codes)


def levels_of(category: str) -> tuple[str, ...]:
    """A category path's levels from the top, blanks trimmed and empty levels left out."""
    return tuple(level for part in category.split(SEPARATOR) if (level := part.strip()))


def _codes_by_path(levels: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], npt.NDArray[np.int32]]:
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for code, path in enumerate(levels):
        folded = tuple(level.casefold() for level in path)
        for depth in range(1, len(folded) + 1):
            found[folded[:depth]].append(code)
    return {path: np.array(codes, np.int32) for path, codes in found.items()}


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts with null where nothing, or nothing but separators, is written."""
    is_blank = pc.equal(pc.utf8_trim(column, f" \t{SEPARATOR}"), "")
    return pc.if_else(pc.fill_null(is_blank, True), pa.scalar(None, pa.string()), column)


def _encoded(column: pa.ChunkedArray) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Distinct values, and each row's code into them; -1 for null."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    return tuple(encoded.dictionary.to_pylist()), codes
