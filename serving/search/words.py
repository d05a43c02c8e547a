"""The stemmed words of a catalogue and of search queries, cut alike."""

from typing import Any

import pyarrow as pa

from serving.search.analysis import analyzer, said, segmented
from serving.search.normalization import catalogue_text, cleaned, quantities, without_quantities

MAX_WORDS = 12
"""Of a search query; the rest is not read."""
TEXT_COLUMNS = ("title", "brand", "description", "category")


class Stemmer:
    """Cuts texts into stemmed words. Threads may share it."""

    def __init__(self) -> None:
        """Make the tokenizer."""
        self._stems = analyzer(stemmed=True)

    def words(self, text: str) -> list[str]:
        """All words of a text in the one form of `cleaned`, those of numbers with units among them."""
        return list(self._stems.analyze(segmented(" ".join([text, *quantities(text)]))))

    def groups(self, search_query: str) -> list[list[str]]:
        """The distinct words of what a shopper typed, each as a group of its stems."""
        plain = cleaned(search_query)
        words = list(self._stems.analyze(segmented(without_quantities(plain))))
        return [[word] for word in dict.fromkeys([*words, *quantities(plain)])][:MAX_WORDS]

    def fields(self, items: pa.Table, *, whole_attributes: bool = False) -> dict[str, list[list[str]]]:
        """Field → the words of every item.

        Args:
            items: The columns title, brand, description, category, attributes, so far as there are any.
            whole_attributes: Whether attributes' names and short values count, too.
        """
        found: dict[str, list[list[str]]] = {
            name: [self.words(catalogue_text(text or "")) for text in _column(items, name)]
            for name in TEXT_COLUMNS
        }
        found["attributes"] = [
            self.words(
                " . ".join(
                    catalogue_text(attribute if whole_attributes else said(attribute))
                    for attribute in attributes or ()
                    if attribute
                )
            )
            for attributes in _column(items, "attributes")
        ]
        return found


def _column(items: pa.Table, name: str) -> list[Any]:
    return items.column(name).to_pylist() if name in items.column_names else [None] * items.num_rows
