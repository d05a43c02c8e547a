"""Category paths, whatever a shop puts between their levels."""

import polars as pl

from pipelines.ingest.cleaning import Notation
from pipelines.ingest.cleaning.categories import to_category


def test_levels_are_split_where_the_mapping_says_and_at_our_own_sign():
    notation = Notation(category_separator=("/", ".", "|"))
    written = ["Default Category/Gear/Bags", "electronics.smartphone", "Home|Lamps", "A & B > C", " / ", None]
    assert to_category(pl.Series(written), notation).values.to_list() == [
        "Default Category > Gear > Bags",
        "electronics > smartphone",
        "Home > Lamps",
        "A & B > C",
        None,
        None,
    ]
    assert to_category(pl.Series(["electronics.smartphone"]), Notation()).values.to_list() == [
        "electronics.smartphone"
    ]


def test_of_several_categories_the_deepest_counts_and_of_equally_deep_ones_the_first():
    notation = Notation(category_list_separator=",")
    written = ["Clothing, Clothing > Hoodies", "Sale,Shoes", None, "Tea", ","]
    assert to_category(pl.Series(written), notation).values.to_list() == [
        "Clothing > Hoodies",
        "Sale",
        None,
        "Tea",
        None,
    ]
