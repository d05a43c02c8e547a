"""BM25F: one score over the fields of an item, so that a word in two fields is one word seen twice.

Robertson, Zaragoza and Taylor, "Simple BM25 Extension to Multiple Weighted Fields" (2004). The counts of a
word in each field, divided by the field's length and weighted, are added before they saturate; added up
after, as plain BM25 does, a word that stands in four fields would count four times. All that does not
depend on the search query is worked out when the release is made: what serving reads is one number for each
word and item.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from serving.errors import BundleError

FIELD_WEIGHTS: dict[str, float] = {
    "title": 3.0,
    "brand": 1.5,
    "description": 1.5,
    "category": 1.0,
    "attributes": 0.5,
}
"""What a word counts in each field."""
LENGTH_NORMALISATION = 0.75
"""b of every field: 0 = long texts are not discounted, 1 = in proportion to their length."""
SATURATION = 0.5
"""k1: how soon further mentions of a word stop counting; low, since shops' titles and data sheets repeat."""
COORDINATION = 1.0
"""What an item that has every word of the search query gains, as a share of its score."""

TERMS = "search_terms.parquet"
POSTINGS = "search_postings.parquet"


class BM25F:
    """The words of a catalogue with what each counts for each item. Threads may share it."""

    def __init__(
        self,
        terms: Sequence[str],
        starts: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32],
        n_items: int,
    ) -> None:
        """Take the postings: of term i, `rows[starts[i]:starts[i + 1]]` are the items.

        Args:
            terms: Distinct words, stemmed.
            starts: `[n_terms + 1]`.
            rows: Item indices `[n_postings]`.
            weights: What the word counts for the item `[n_postings]`.
            n_items: Items of the catalogue.
        """
        self._term_ids = {term: number for number, term in enumerate(terms)}
        self._starts = starts
        self._rows = rows
        self._weights = weights
        self.n_items = n_items

    @classmethod
    def of_texts(
        cls,
        fields: Mapping[str, Iterable[Sequence[str]]],
        field_weights: Mapping[str, float] = FIELD_WEIGHTS,
        *,
        saturation: float = SATURATION,
        length_normalisation: float = LENGTH_NORMALISATION,
    ) -> "BM25F":
        """Count the words of a catalogue.

        Args:
            fields: Field → the stemmed words of every item, all fields in the same order of items.
            field_weights: Field → what a word counts in it; fields without a weight are passed over.
            saturation: k1.
            length_normalisation: b.
        """
        term_ids: dict[str, int] = {}
        n_items = 0
        keys, counts = [], []
        for name, weight in field_weights.items():
            texts = list(fields[name])
            n_items = max(n_items, len(texts))
            lengths = np.fromiter(map(len, texts), np.int64, len(texts))
            words = (word for text in texts for word in text)
            codes = np.fromiter((term_ids.setdefault(word, len(term_ids)) for word in words), np.int64)
            mean = lengths[lengths > 0].mean() if lengths.any() else 1.0
            share = weight / (1 - length_normalisation + length_normalisation * lengths / mean)
            items = np.repeat(np.arange(len(texts)), lengths)
            keys.append(codes * n_items + items)
            counts.append(share[items])
        pairs, places = np.unique(np.concatenate(keys), return_inverse=True)
        frequency = np.bincount(places, np.concatenate(counts), minlength=len(pairs))
        codes, rows = np.divmod(pairs, max(n_items, 1))
        having = np.bincount(codes, minlength=len(term_ids))
        rarity = np.log1p((n_items - having + 0.5) / (having + 0.5))
        weights = rarity[codes] * frequency * (saturation + 1) / (frequency + saturation)
        starts = np.concatenate([[0], np.cumsum(having)]).astype(np.int64)
        return cls(list(term_ids), starts, rows.astype(np.int32), weights.astype(np.float32), n_items)

    def scores(
        self, groups: Sequence[Sequence[str]], coordination: float = COORDINATION
    ) -> npt.NDArray[np.float32]:
        """What the words count for every item, `[n_items]`; 0 where an item has none of them.

        Args:
            groups: The stemmed words of the search query; words of one group stand for each other, and the
                best of them counts.
            coordination: The share by which the score grows for an item that has a word of every group.
        """
        total = np.zeros(self.n_items, np.float32)
        met = np.zeros(self.n_items, np.float32)
        for group in groups:
            known = [self._term_ids[word] for word in dict.fromkeys(group) if word in self._term_ids]
            best = np.zeros(self.n_items, np.float32)
            for number in known:
                span = slice(self._starts[number], self._starts[number + 1])
                rows = self._rows[span]
                best[rows] = np.maximum(best[rows], self._weights[span])
            total += best
            met += best > 0
        total *= 1 + np.float32(coordination / max(len(groups), 1)) * met
        return total

    def write(self, directory: Path) -> None:
        """Write the postings into the bundle under construction."""
        terms = pa.table({"term": list(self._term_ids), "start": self._starts[:-1]})
        postings = pa.table({"item": self._rows, "score": self._weights})
        sized = postings.replace_schema_metadata({"items": str(self.n_items)})
        pq.write_table(terms, directory / TERMS)
        pq.write_table(sized, directory / POSTINGS)

    @classmethod
    def read(cls, directory: Path) -> "BM25F | None":
        """The postings of the bundle in that directory; None where the release has none.

        Raises:
            BundleError: The files are not what `write` leaves.
        """
        if not (directory / POSTINGS).exists():
            return None
        try:
            terms, postings = pq.read_table(directory / TERMS), pq.read_table(directory / POSTINGS)
            n_items = int(postings.schema.metadata[b"items"])
            starts = np.append(terms.column("start").to_numpy(), postings.num_rows).astype(np.int64)
            rows = postings.column("item").to_numpy().astype(np.int32)
            weights = postings.column("score").to_numpy().astype(np.float32)
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{POSTINGS}: expected the postings, received {error}.") from error
        sorted_within = bool((np.diff(starts) >= 0).all()) and starts[0] == 0
        if not sorted_within or (len(rows) and not 0 <= rows.min() <= rows.max() < n_items):
            raise BundleError(f"{POSTINGS}: expected postings of {n_items} items, received others.")
        return cls(terms.column("term").to_pylist(), starts, rows, weights, n_items)
