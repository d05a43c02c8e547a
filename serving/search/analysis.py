"""How the catalogue's texts become words and fields of the full-text index."""

import re
from typing import Any

from tantivy import Document, Index, Schema, SchemaBuilder, TextAnalyzer, TextAnalyzerBuilder, Tokenizer
from tantivy import Filter as TokenFilter

from serving.bundle import CATEGORY_SEPARATOR, levels_of
from serving.search.normalization import catalogue_text, cleaned, code_of, part_numbers, quantities

TEXT_FIELDS: dict[str, float] = {
    "title": 3.0,
    "brand": 2.0,
    "category": 1.5,
    "description": 0.7,
    "attributes": 0.5,
}
"""Searched fields and what a match in each counts before BM25F ranks the best."""
SURFACE_FIELDS = ("title", "brand", "category")
"""Fields whose words may be proposed to a shopper, as they are written."""
MAX_LEVELS = 6
"""Category levels that are filtered and counted by."""
MAX_CODES = 100
"""Part numbers of one item that are searched."""
SHORTEST_VALUE = 4
"""Characters that an attribute's value must have to be searched."""
_EAST_ASIAN = re.compile("([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])")


def segmented(text: str) -> str:
    """Text in which every East Asian character is a word: they are written without blanks."""
    return _EAST_ASIAN.sub(r" \1 ", text)


def folded_path(category: str) -> str:
    """A category path as it is filtered by, whatever its letters' case and its blanks."""
    return ">".join(level.casefold() for level in levels_of(category))


def document(row: int, item: dict[str, Any]) -> Document:
    """The index's entry of the item with that index."""
    entry = Document()
    entry.add_integer("row", row)
    entry.add_text("item_id", item["item_id"])
    codes = {code_of(item["item_id"])}
    for name in TEXT_FIELDS:
        if text := _field_text(item, name):
            entry.add_text(name, segmented(" ".join([text, *quantities(text)])))
            if name in SURFACE_FIELDS:
                entry.add_text("surface", segmented(text))
                codes.update(part_numbers(text))
    for attribute in item["attributes"] or ():
        codes.update(part_numbers(catalogue_text(attribute.partition(":")[2])))
    for code in sorted(codes - {""})[:MAX_CODES]:
        entry.add_text("code", code)
    levels = levels_of(item["category"] or "")[:MAX_LEVELS]
    for level in range(len(levels)):
        entry.add_text("path", folded_path(CATEGORY_SEPARATOR.join(levels[: level + 1])))
        entry.add_text(f"level_{level}", CATEGORY_SEPARATOR.join(levels[: level + 1]))
    if item["brand"]:
        entry.add_text("brand_key", cleaned(item["brand"]).casefold())
        entry.add_text("brand_name", item["brand"])
    if item["price"] is not None:
        entry.add_float("price", float(item["price"]))
    entry.add_boolean("available", item["available"] is not False)
    return entry


def _field_text(item: dict[str, Any], name: str) -> str:
    if name == "attributes":
        return " . ".join(filter(None, (catalogue_text(said(each)) for each in item[name] or () if each)))
    return catalogue_text(item[name] or "")


def said(attribute: str) -> str:
    """What an attribute says: `colour: dark blue` as `dark blue`; an attribute without a name is a value.

    Values too short to say anything without the name, such as `yes` and bare numbers, are passed over.
    """
    name, separator, value = attribute.partition(":")
    text = (value if separator else name).strip()
    return text if len(text) >= SHORTEST_VALUE else ""


def schema() -> Schema:
    """The index's fields: words by stem and as written, exact keys for filters, fast columns for counts."""
    builder = SchemaBuilder().add_integer_field("row", fast=True)
    for name in TEXT_FIELDS:
        builder = builder.add_text_field(name, tokenizer_name="aisle_stems", index_option="freq")
    builder = builder.add_text_field("surface", tokenizer_name="aisle_surface", index_option="basic")
    for name in ("item_id", "code", "path", "brand_key"):
        builder = builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("brand_name", *(f"level_{level}" for level in range(MAX_LEVELS))):
        builder = builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder = builder.add_float_field("price", indexed=True, fast=True)
    return builder.add_boolean_field("available", indexed=True).build()


def register(index: Index) -> None:
    """Make the tokenizers known, which an index file names but does not hold."""
    index.register_tokenizer("aisle_stems", analyzer(stemmed=True))
    index.register_tokenizer("aisle_surface", analyzer(stemmed=False))


def analyzer(*, stemmed: bool) -> TextAnalyzer:
    """Words in lower case without accents; `stemmed`: English endings cut, so that apples finds apple."""
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(TokenFilter.remove_long(60))
    builder = builder.filter(TokenFilter.lowercase()).filter(TokenFilter.ascii_fold())
    return (builder.filter(TokenFilter.stemmer("english")) if stemmed else builder).build()
