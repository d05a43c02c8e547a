"""Categories of items as paths such as `Shoes > Sandals`."""

import re
from collections import Counter

import polars as pl

from pipelines.ingest.cleaning.column_result import Normalised
from pipelines.ingest.cleaning.notation import Notation
from pipelines.ingest.cleaning.values import to_text
from pipelines.lake import CATEGORY_SEPARATOR

LEVEL = CATEGORY_SEPARATOR.strip()


def to_category(column: pl.Series, notation: Notation) -> Normalised:
    """Paths with one blank around each `>` and no empty level.

    Of several categories in one cell the deepest counts, and of equally deep ones the first.
    """
    text = to_text(column)
    between = notation.category_list_separator
    if between is None or not text.values.str.contains(between, literal=True).any():
        path = _path(text.values, notation)
    else:
        several = pl.DataFrame({"path": text.values.str.split(between)}).with_row_index("row").explode("path")
        several = several.with_columns(_path(several["path"], notation).alias("path")).with_columns(
            pl.col("path").str.count_matches(LEVEL, literal=True).fill_null(0).alias("depth")
        )
        deepest = several.sort("row", "depth", descending=[False, True], maintain_order=True)
        path = deepest.unique("row", keep="first", maintain_order=True)["path"]
    path = path.set(path == "", None)
    changed = Counter({"category paths trimmed": int((path != text.values).sum())})
    return Normalised(path, text.unreadable, text.steps + changed)


def _path(text: pl.Series, notation: Notation) -> pl.Series:
    separators = "|".join(re.escape(each) for each in notation.category_separator)
    if separators:
        text = text.str.replace_all(separators, LEVEL)
    levels = text.str.replace_all(r"\s+", " ").str.split(LEVEL)
    trimmed = levels.list.eval(pl.element().str.strip_chars())
    return trimmed.list.eval(pl.element().filter(pl.element().str.len_bytes() > 0)).list.join(
        CATEGORY_SEPARATOR
    )
