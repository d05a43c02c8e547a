"""The full-text index of the catalogue: built with the release, opened by serving.

What a shopper types never meets a query parser: it is cut into words, and queries are made of words. So no
operator, quote or field name in it means anything.
"""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tantivy import FieldType, Index, Occur, Query, Schema, SearchResult

from serving.bundle import TEXT_INDEX, levels_of
from serving.engine import Filters
from serving.errors import BundleError
from serving.search.analysis import (
    MAX_LEVELS,
    TEXT_FIELDS,
    analyzer,
    document,
    folded_path,
    register,
    schema,
    segmented,
)
from serving.search.bm25f import BM25F
from serving.search.normalization import cleaned, quantities, without_quantities
from serving.search.words import MAX_WORDS, Stemmer

RANKED_BY_FIELDS = 1000
"""Best matches that BM25F puts in order; behind them the order of the full-text index stays."""
_WRITER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Hits:
    """Items found, best first."""

    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    total: int
    """All that match, also those beyond the limit."""


def build(directory: Path, items: pa.Table) -> None:
    """Write the index of the catalogue into `<directory>/text_index`, whatever was there before.

    Args:
        directory: The bundle under construction.
        items: `items.parquet`'s columns; row i is item index i.
    """
    folder = directory / TEXT_INDEX
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = Index(schema(), path=str(folder))
    register(index)
    # One thread and one segment: the same catalogue gives the same order of equal scores.
    writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
    names = ("title", "brand", "category", "description", "price", "available", "item_id", "attributes")
    columns = [
        items.column(name).to_pylist() if name in items.column_names else [None] * items.num_rows
        for name in names
    ]
    for row, values in enumerate(zip(*columns, strict=True)):
        writer.add_document(document(row, dict(zip(names, values, strict=True))))
    BM25F.of_texts(Stemmer().fields(items)).write(directory)
    writer.commit()
    writer.wait_merging_threads()
    del writer, index
    for lock in folder.glob("*.lock"):
        lock.unlink()


class TextIndex:
    """An opened index. Threads may share it."""

    def __init__(self, index: Index, ranking: BM25F | None = None) -> None:
        """Read the index as it is now; `ranking` orders what it finds, where the release has one."""
        self._ranking = ranking
        self._fields = {name: boost for name, boost in TEXT_FIELDS.items() if _has_field(index.schema, name)}
        self._schema: Schema = index.schema
        self._searcher = index.searcher()
        self._stems = analyzer(stemmed=True)
        self._surface = analyzer(stemmed=False)
        self._has_codes = _has_field(index.schema, "code")

    @classmethod
    def open(cls, directory: Path) -> "TextIndex":
        """The index of the bundle in that directory.

        It is opened through links in a private folder: tantivy writes a lock file beside what it reads, and a
        verified release must stay as it is, on a disk that may be read-only.

        Raises:
            BundleError: there is no index, or it is none of ours.
        """
        folder = directory / TEXT_INDEX
        # tantivy's threads may still put a lock file there while the folder is being removed.
        with tempfile.TemporaryDirectory(prefix="aisle-text-index-", ignore_cleanup_errors=True) as private:
            try:
                for path in folder.iterdir():
                    (Path(private) / path.name).symlink_to(path.resolve())
                index = Index.open(private)
                index.config_reader("manual")
                register(index)
                opened = cls(index, BM25F.read(directory))
                opened.count([], Filters())
            except (OSError, ValueError, RuntimeError) as error:
                raise BundleError(f"{TEXT_INDEX}: expected the text index, received {error}.") from error
            return opened

    def words(self, text: str) -> list[str]:
        """The distinct words of what a shopper typed, as written but in lower case and without accents."""
        plain = cleaned(text)
        words = [*self.words_of(without_quantities(plain)), *quantities(plain)]
        return list(dict.fromkeys(words))[:MAX_WORDS]

    def words_of(self, text: str) -> list[str]:
        """All words of a text of the catalogue."""
        return list(self._surface.analyze(segmented(text)))

    def is_known(self, word: str) -> bool:
        """Whether any item has the word, in any of its forms."""
        return any(self._searcher.doc_freq(name, stem) for stem in self._stem(word) for name in self._fields)

    def with_code(self, code: str, filters: Filters, limit: int) -> Hits:
        """Items that bear that id or part number, as `code_of` writes it."""
        restrictions = self._restrictions(filters)
        if not code or restrictions is None or not self._has_codes:
            return Hits(np.zeros(0, np.int32), np.zeros(0, np.float32), 0)
        term = Query.term_query(self._schema, "code", code, "basic")
        return self._found(Query.boolean_query([(Occur.Must, term), *restrictions]), limit)

    def completions(self, word: str, limit: int = 5) -> list[str]:
        """Words that begin with `word`, the most frequent first."""
        found = self._searcher.terms_with_prefix("surface", word, limit=200)
        return [term for term, _ in sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]]

    def near_words(self, word: str, limit: int = 50) -> npt.NDArray[np.int32]:
        """Items that have a word at most one edit (from six letters on two edits) away from `word`."""
        distance = 1 if len(word) < 6 else 2
        query = Query.fuzzy_term_query(self._schema, "surface", word, distance, True, False)
        return self._found(query, limit).items

    def search(
        self, groups: Sequence[Sequence[str]], filters: Filters, limit: int, needed: int | None = None
    ) -> Hits:
        """Items that have a word of each group.

        Args:
            groups: Words that stand for each other; no groups = every item.
            filters: What items must meet.
            limit: Items returned at most.
            needed: Groups that must be met at least; all by default.
        """
        query = self._query(groups, filters, needed)
        if query is None:
            return Hits(np.zeros(0, np.int32), np.zeros(0, np.float32), 0)
        if self._ranking is None or not groups:
            return self._found(query, limit)
        hits = self._found(query, max(limit, RANKED_BY_FIELDS))
        first = hits.items[:RANKED_BY_FIELDS]
        stems = [[stem for word in group for stem in self._stem(word)] for group in groups]
        scores = self._ranking.scores(stems)[first]
        order = np.argsort(-scores, kind="stable")
        # What follows the ranked ones keeps its order, below them.
        rest = scores.min(initial=0) * np.ones(len(hits.items) - len(first), np.float32)
        items = np.concatenate([first[order], hits.items[RANKED_BY_FIELDS:]])
        return Hits(items[:limit], np.concatenate([scores[order], rest])[:limit], hits.total)

    def count(self, groups: Sequence[Sequence[str]], filters: Filters, needed: int | None = None) -> int:
        """How many items `search` would find."""
        query = self._query(groups, filters, needed)
        return 0 if query is None else self._found(query, 1).total

    def facets(
        self,
        groups: Sequence[Sequence[str]],
        filters: Filters,
        price_bounds: Sequence[float],
        needed: int | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """Counts of all matching items by next category level, by brand and by price range."""
        empty: dict[str, list[dict[str, Any]]] = {"category": [], "brand": [], "price": []}
        query = self._query(groups, filters, needed)
        if query is None:
            return empty
        level = min(len(levels_of(filters.category or "")), MAX_LEVELS - 1)
        ranges = list(zip([None, *price_bounds], [*price_bounds, None], strict=True))
        wanted: dict[str, Any] = {
            "category": {"terms": {"field": f"level_{level}", "size": 50}},
            "brand": {"terms": {"field": "brand_name", "size": 20}},
        }
        if price_bounds:
            wanted["price"] = {"range": {"field": "price", "ranges": [_range(*bounds) for bounds in ranges]}}
        counted = self._searcher.aggregate(query, wanted)
        for name in ("category", "brand"):
            empty[name] = [{"value": b["key"], "count": b["doc_count"]} for b in counted[name]["buckets"]]
        if price_bounds:
            empty["price"] = [
                {"from": bucket.get("from"), "to": bucket.get("to"), "count": bucket["doc_count"]}
                for bucket in counted["price"]["buckets"]
                if bucket["doc_count"]
            ]
        return empty

    def _found(self, query: Query, limit: int) -> Hits:
        result = self._searcher.search(query, limit)
        addresses = [address for _, address in result.hits]
        rows = np.array(self._searcher.fast_field_values("row", addresses), np.int32)
        return Hits(rows, np.array([score for score, _ in result.hits], np.float32), _total(result))

    def _query(self, groups: Sequence[Sequence[str]], filters: Filters, needed: int | None) -> Query | None:
        """The query of those words and filters; None where nothing can match."""
        parts = [(Occur.Must, self._any_field(group)) for group in groups]
        text = Query.all_query() if not parts else Query.boolean_query(parts)
        if parts and needed is not None and needed < len(parts):
            text = Query.boolean_query([(Occur.Should, part) for _, part in parts], needed)
        restrictions = self._restrictions(filters)
        if restrictions is None:
            return None
        return Query.boolean_query([(Occur.Must, text), *restrictions]) if restrictions else text

    def _any_field(self, group: Sequence[str]) -> Query:
        """Items that have any of the words; the best field counts, the others break ties."""
        terms = [
            Query.boost_query(Query.term_query(self._schema, name, stem), boost)
            for word in group
            for stem in self._stem(word)
            for name, boost in self._fields.items()
        ]
        return Query.disjunction_max_query(terms, 0.1) if terms else Query.empty_query()

    def _restrictions(self, filters: Filters) -> list[tuple[Occur, Query]] | None:
        low, high = filters.min_price, filters.max_price
        if any(bound is not None and np.isnan(bound) for bound in (low, high)):
            return None
        parts = []
        if path := folded_path(cleaned(filters.category or "")):
            parts.append((Occur.Must, Query.term_query(self._schema, "path", path)))
        if filters.brands:
            brands = [cleaned(brand).casefold() for brand in filters.brands]
            parts.append((Occur.Must, Query.term_set_query(self._schema, "brand_key", brands)))
        if low is not None or high is not None:
            low, high = -1e308 if low is None else low, 1e308 if high is None else high
            if low > high:
                return None
            price = Query.range_query(self._schema, "price", FieldType.Float, float(low), float(high))
            parts.append((Occur.Must, Query.const_score_query(price, 0.0)))
        if filters.in_stock_only:
            stock = Query.term_query(self._schema, "available", True)
            parts.append((Occur.Must, Query.const_score_query(stock, 0.0)))
        parts = [(occur, Query.const_score_query(part, 0.0)) for occur, part in parts]
        if filters.exclude_ids:
            ids = [cleaned(item_id) for item_id in filters.exclude_ids]
            parts.append((Occur.MustNot, Query.term_set_query(self._schema, "item_id", ids)))
        return parts

    def _stem(self, word: str) -> list[str]:
        return list(self._stems.analyze(word))


def _has_field(schema: Schema, name: str) -> bool:
    """Whether the index was built with that field; those of earlier releases may not have been."""
    try:
        Query.term_query(schema, name, "", "basic")
    except ValueError:
        return False
    return True


def _range(low: float | None, high: float | None) -> dict[str, float]:
    bounds: Iterable[tuple[str, float | None]] = (("from", low), ("to", high))
    return {name: bound for name, bound in bounds if bound is not None}


def _total(result: SearchResult) -> int:
    # The library's type hints leave the attribute out.
    return int(result.count)  # type: ignore[attr-defined]
