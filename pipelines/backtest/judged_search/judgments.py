"""Judged search queries: which items of a catalogue answer them, and how well."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data import ITEMS, Column, read_file, refuse_repeated
from pipelines.errors import BacktestError

JUDGMENTS = (
    Column("search_query", "text", required=True, filled=True),
    Column("item_id", "text", required=True, filled=True),
    Column("relevance", "ratings", required=True, filled=True),
    Column("fold", "text"),
)
FOLDS = 5
"""Folds where the file names none."""
LIKED = 2.0
"""Grade from which an item counts as relevant; where no grade is as high, the highest half does."""


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """One search query with its judged items."""

    text: str
    fold: str
    items: NDArray[np.int64]
    """Rows of the judged items in the catalogue."""
    grades: NDArray[np.float64]
    """Their relevance, from 0."""


@dataclass(frozen=True, slots=True)
class JudgedSearch:
    """A catalogue with judged search queries."""

    name: str
    items: pa.Table
    queries: list[JudgedQuery]
    relevant_from: float
    """Grade from which an item is relevant, for recall and MRR; NDCG knows all grades."""
    judged_elsewhere: int
    """Judgments of items that the catalogue does not hold; they are left out."""


def read_judged(folder: Path) -> JudgedSearch:
    """Read `items.parquet` and `judgments.parquet`.

    Raises:
        BacktestError: A file is not what it should be, or no judged item is in the catalogue.
    """
    items = read_file(folder / "items.parquet", ITEMS)
    refuse_repeated(folder / "items.parquet", items.column("item_id"), "item_id")
    path = folder / "judgments.parquet"
    judged = read_file(path, JUDGMENTS)
    rows = pc.index_in(judged.column("item_id"), items.column("item_id").combine_chunks())
    judged = judged.append_column("row", rows)
    known = judged.filter(pc.is_valid(rows))
    if known.num_rows == 0:
        raise BacktestError(
            f"{path}: expected judgments of items of items.parquet, received none of its item_id; "
            "write the ids alike in both files"
        )
    relevance = known.column("relevance").to_numpy()
    highest = float(relevance.max())
    return JudgedSearch(
        name=folder.resolve().name,
        items=items,
        queries=_queries(path, known, relevance),
        relevant_from=LIKED if highest >= LIKED else max(highest / 2, 1e-9),
        judged_elsewhere=judged.num_rows - known.num_rows,
    )


def _queries(path: Path, known: pa.Table, relevance: NDArray[np.float64]) -> list[JudgedQuery]:
    texts = known.column("search_query").combine_chunks().dictionary_encode()
    order = np.argsort(texts.indices.to_numpy(), kind="stable")
    cuts = np.flatnonzero(np.diff(texts.indices.to_numpy()[order])) + 1
    rows = known.column("row").to_numpy()
    folds = known.column("fold").to_pylist() if "fold" in known.column_names else None
    queries = []
    for text, places in zip(texts.dictionary.to_pylist(), np.split(order, cuts), strict=True):
        named = {folds[place] for place in places} if folds else {fold_of(text)}
        if len(named) > 1 or None in named:
            raise BacktestError(
                f"{path}: expected one fold for each search_query, received {len(named)} for {text!r}; "
                "put all judgments of a search query into one fold"
            )
        queries.append(JudgedQuery(text, str(named.pop()), rows[places], relevance[places]))
    return queries


def fold_of(text: str) -> str:
    """A fold by the letters and digits alone, so that neither case nor blanks part two search queries."""
    letters = "".join(sign for sign in text.casefold() if sign.isalnum()).rstrip("s")
    return str(int.from_bytes(hashlib.sha256(letters.encode()).digest()[:4], "big") % FOLDS + 1)
