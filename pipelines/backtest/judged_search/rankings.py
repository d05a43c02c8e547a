"""The rankings that are compared: Aisle's search, and plain BM25 on the title and on all fields."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.backtest.judged_search.judgments import JudgedSearch
from pipelines.runtime import Console
from serving.search import BM25F, Stemmer

LISTED = 100
"""Items of a list that are looked at."""
BM25_SATURATION = 1.2
"""k1 of plain BM25, Lucene's default."""
BM25_WEIGHTS = {"title": 3.0, "description": 1.0, "brand": 1.5, "attributes": 0.3}
"""What each field's own BM25 counts in `bm25_all_fields`."""

Ranking = Callable[[str], NDArray[np.float32]]
"""Search query → score of every item; 0 = not found."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What each ranking listed."""

    lists: dict[str, list[NDArray[np.int64]]]
    """Ranking → rows of the items listed for each query, best first, at most `LISTED`."""
    build_seconds: dict[str, float]
    query_ms: dict[str, float]
    """Median milliseconds of one search query."""


def aisle(items: pa.Table) -> Ranking:
    """The text ranking that a release serves to somebody of whom nothing is known."""
    stemmer = Stemmer()
    index = BM25F.of_texts(stemmer.fields(items))
    return lambda text: index.scores(stemmer.groups(text))


def bm25_title(items: pa.Table) -> Ranking:
    """BM25 on the title."""
    return _bm25(items, {"title": 1.0})


def bm25_all_fields(items: pa.Table) -> Ranking:
    """BM25 on each field, added up."""
    return _bm25(items, BM25_WEIGHTS)


def _bm25(items: pa.Table, weights: dict[str, float]) -> Ranking:
    stemmer = Stemmer()
    fields = stemmer.fields(items, whole_attributes=True)
    parts = [
        (weight, BM25F.of_texts(fields, {name: 1.0}, saturation=BM25_SATURATION))
        for name, weight in weights.items()
    ]

    def scores(text: str) -> NDArray[np.float32]:
        groups = stemmer.groups(text)
        found = [np.float32(weight) * part.scores(groups, coordination=0.0) for weight, part in parts]
        total: NDArray[np.float32] = np.sum(found, axis=0, dtype=np.float32)
        return total

    return scores


RANKINGS: dict[str, Callable[[pa.Table], Ranking]] = {
    "aisle": aisle,
    "bm25_title": bm25_title,
    "bm25_all_fields": bm25_all_fields,
}
"""Name → what makes the ranking of a catalogue. None of them sees a judgment."""


def run_searched(judged: JudgedSearch, names: tuple[str, ...], seed: int, console: Console) -> Searched:
    """The lists of each ranking.

    Items of equal score come in an order drawn with the seed, so that the order of the file carries nothing.
    """
    lists: dict[str, list[NDArray[np.int64]]] = {}
    build_seconds, query_ms = {}, {}
    drawn = np.random.default_rng(seed).permutation(judged.items.num_rows)
    for name in names:
        with console.step(f"search with {name}"):
            start = perf_counter()
            ranking = RANKINGS[name](judged.items)
            build_seconds[name] = perf_counter() - start
            lists[name], spent = [], []
            for query in judged.queries:
                start = perf_counter()
                lists[name].append(_best(ranking(query.text), drawn))
                spent.append(perf_counter() - start)
            query_ms[name] = float(np.median(spent)) * 1e3
    return Searched(lists, build_seconds, query_ms)


def _best(scores: NDArray[np.float32], drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the best items that were found at all."""
    found = np.flatnonzero(scores > 0)
    order = np.lexsort((drawn[found], -scores[found]))
    return found[order[:LISTED]]
