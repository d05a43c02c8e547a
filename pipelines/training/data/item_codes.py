"""What the models know of items beside their ids: category path, brand, price and title words, as codes."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.bundle import CATEGORY_SEPARATOR

CATEGORY_LEVELS = 3
"""Levels of the category path that have codes of their own."""

CODE_COLUMNS = ("item", *(f"category_{level}" for level in range(1, CATEGORY_LEVELS + 1)), "brand")
"""Columns of `item_codes`; `item` is the code in the vocabulary of retrieval, 0 = too rare for one."""

TITLE_WORDS = 6
"""Words of a title that the item encoder sees."""

ATTRIBUTES = 12
"""Attributes of an item that the item encoder sees."""

VOCABULARY_WORDS = 5_000
"""Most words, and most attributes, with a code."""

WORD = re.compile(r"[^\W\d_]{2,}", re.UNICODE)


def item_codes(
    catalogue: pa.Table,
    events_of_item: npt.NDArray[np.int64],
    min_item_events: int,
    max_item_ids: int | None = None,
) -> npt.NDArray[np.int32]:
    """[n, K] codes in the order of `CODE_COLUMNS`, 0 = unknown.

    Args:
        catalogue: Items in the bundle's columns.
        events_of_item: [n] events of each item before retrieval's end.
        min_item_events: Items with fewer events share the code 0.
        max_item_ids: Most items with a code of their own, the most frequent ones; by default all.
    """
    known = events_of_item >= min_item_events
    if max_item_ids is not None and known.sum() > max_item_ids:
        known[np.argsort(-events_of_item, kind="stable")[max_item_ids:]] = False
    ids = np.where(known, np.cumsum(known), 0)
    levels = [_codes(texts) for texts in _category_levels(_texts(catalogue, "category"))]
    return np.stack([ids, *levels, _codes(_texts(catalogue, "brand"))], axis=1).astype(np.int32)


def title_words(catalogue: pa.Table) -> npt.NDArray[np.int32]:
    """[n, TITLE_WORDS] codes of each title's first words that other titles share, 0 = none."""
    return _shared_codes(_first_words(catalogue), TITLE_WORDS)


def attribute_codes(catalogue: pa.Table) -> npt.NDArray[np.int32]:
    """[n, ATTRIBUTES] codes of each item's first attributes that other items share, 0 = none."""
    if "attributes" not in catalogue.column_names:
        return np.zeros((catalogue.num_rows, 0), np.int32)
    return _shared_codes(_first_attributes(catalogue), ATTRIBUTES)


def code_texts(catalogue: pa.Table) -> dict[str, Sequence[str]]:
    """By kind of code, what its codes from 1 on stand for: each level of category, brand, attribute, word."""
    levels = _category_levels(_texts(catalogue, "category"))
    return {
        **{f"category_{level}": _distinct(texts)[1:] for level, texts in enumerate(levels, start=1)},
        "brand": _distinct(_texts(catalogue, "brand"))[1:],
        "attribute": _frequent(_first_attributes(catalogue))
        if "attributes" in catalogue.column_names
        else [],
        "word": _frequent(_first_words(catalogue)),
    }


def price_levels(prices: npt.NDArray[np.float64], levels: int = 20) -> npt.NDArray[np.int32]:
    """[n] 1-based quantile of each price among the known ones, 0 = unknown."""
    known = np.isfinite(prices)
    if not known.any():
        return np.zeros(len(prices), np.int32)
    edges = np.unique(np.quantile(prices[known], np.linspace(0, 1, levels + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, prices, side="right") + 1, 0).astype(np.int32)


def _shared_codes(words: Sequence[Sequence[str]], width: int) -> npt.NDArray[np.int32]:
    """[n, width] codes of the frequent ones among words that come more than once, 0 = none."""
    code_of = {word: code for code, word in enumerate(_frequent(words), start=1)}
    codes = np.zeros((len(words), width), np.int32)
    sizes = np.array([len(row) for row in words], np.int64)
    rows = np.repeat(np.arange(len(words)), sizes)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    codes[rows, places] = [code_of.get(word, 0) for word in chain.from_iterable(words)]
    return codes


def _frequent(words: Sequence[Sequence[str]]) -> list[str]:
    """The words that come more than once, the most frequent ones first."""
    counts = Counter(chain.from_iterable(words))
    return [word for word, count in counts.most_common(VOCABULARY_WORDS) if count > 1]


def _first_words(catalogue: pa.Table) -> list[list[str]]:
    return [WORD.findall(title.lower())[:TITLE_WORDS] for title in _texts(catalogue, "title")]


def _first_attributes(catalogue: pa.Table) -> list[list[str]]:
    return [(values or [])[:ATTRIBUTES] for values in catalogue.column("attributes").to_pylist()]


def _texts(catalogue: pa.Table, column: str) -> list[str]:
    if column not in catalogue.column_names:
        return [""] * catalogue.num_rows
    texts: list[str] = pc.fill_null(catalogue.column(column), "").to_pylist()
    return texts


def _category_levels(paths: Sequence[str]) -> list[list[str]]:
    """Per level the path down to it, "" where a path is shorter."""
    split = [path.split(CATEGORY_SEPARATOR) if path else [] for path in paths]
    return [
        [CATEGORY_SEPARATOR.join(parts[:level]) if len(parts) >= level else "" for parts in split]
        for level in range(1, CATEGORY_LEVELS + 1)
    ]


def _distinct(texts: Sequence[str]) -> list[str]:
    """The distinct texts in the order of their codes, the empty one first."""
    return sorted({"", *texts})


def _codes(texts: Sequence[str]) -> npt.NDArray[np.int32]:
    """1-based place among the distinct texts, 0 for the empty one."""
    codes = np.unique(np.array(["", *texts], object).astype(str), return_inverse=True)[1]
    narrow: npt.NDArray[np.int32] = codes[1:].astype(np.int32)
    return narrow
