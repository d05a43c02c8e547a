"""Finding the contract's columns among those that a shop has."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning import DecimalMarks, as_text, to_list
from pipelines.ingest.columns import TABLES, expected
from pipelines.ingest.mapping import Mapping, TableMapping

LONGEST_LIST = 40
"""Names that an error message shows at most."""

LONGEST_NAME = 120
"""Characters of a name that an error message shows at most."""


def to_batch(
    table: str, original: pl.DataFrame, source: str, shop: Mapping, marks: DecimalMarks | None = None
) -> Batch:
    """Rows of a shop under the names of the contract of `table`.

    Args:
        table: Our table.
        original: The shop's rows.
        source: Where they come from, for messages and for the quarantine.
        shop: What the shop calls its columns.
        marks: The decimal marks of the file, shared by its batches.

    Raises:
        IngestError: A required column is missing.
    """
    told = shop.of(table)
    theirs = _theirs(table, original.columns, source, told)
    steps: Counter[str] = Counter()
    rows = original.select(_first_of(original, ours, names, steps) for ours, names in theirs.items())
    rows = rows.with_columns(pl.lit(value).alias(ours) for ours, value in told.constants.items())
    if told.attributes:
        rows = rows.with_columns(_attributes(rows, original, told, source))
    used = {*told.attributes, *(name for names in theirs.values() for name in names)}
    notation = shop.notation(table)
    return Batch(
        table=table,
        source=source,
        rows=rows,
        original=original,
        steps=steps,
        ignored_columns=tuple(name for name in original.columns if name not in used),
        notation=notation,
        marks=marks or notation.marks(),
    )


def _first_of(original: pl.DataFrame, ours: str, names: Sequence[str], steps: Counter[str]) -> pl.Series:
    """The first of the columns that has a value, row by row."""
    first = original[names[0]]
    for name in names[1:]:
        text = as_text(first.cast(pl.String))
        missing = text.is_null()
        if not missing.any():
            break
        other = as_text(original[name].cast(pl.String))
        steps[f"{ours} taken from {name} where {names[0]} has no value"] += int(
            (missing & other.is_not_null()).sum()
        )
        first = other.zip_with(missing, text)
    return first.rename(ours)


def plain(name: str) -> str:
    """A column name without blanks around it and in small letters."""
    return name.strip().strip("\ufeff").lower()


def bare(name: str) -> str:
    """Letters and digits of a column name: `Product ID`, `product-id` and `ProductId` are `product_id`."""
    return re.sub(r"[\W_]+", "", plain(name))


def received(columns: list[str]) -> str:
    """The shop's columns as an error message lists them."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in columns]
    if len(names) > LONGEST_LIST:
        return f"{', '.join(names[:LONGEST_LIST])} and {len(names) - LONGEST_LIST} more"
    return ", ".join(names) or "no column"


def guess_table(columns: list[str]) -> str | None:
    """The table that a file of these columns must be, or None where they do not tell."""
    names = {bare(name) for name in columns}
    has = {
        column.name
        for table in ("events", "items", "users")
        for column in TABLES[table]
        if names & {bare(name) for name in (column.name, *column.also)}
    }
    if "user_id" in has and has & {"event_type", "event_at"}:
        return "events"
    if "item_id" in has and "user_id" not in has:
        return "items"
    if "user_id" in has and "item_id" not in has:
        return "users"
    return None


def find_column(wanted: str, columns: Sequence[str], source: str) -> str | None:
    """The shop's column of that name, in any case, or else with other signs between its words.

    Raises:
        IngestError: Two columns are equally near to it.
    """
    for same in (plain, bare):
        found = [name for name in columns if same(name) == same(wanted)]
        if len(found) > 1:
            raise IngestError(
                f"{source}: expected each column once, received both {found[0]!r} and {found[1]!r}. "
                "Rename or drop one of them."
            )
        if found:
            return found[0]
    # The items of an event have columns of their own: `items.price` is `price`.
    return find_column(wanted.rpartition(".")[2], columns, source) if "." in wanted else None


def _theirs(table: str, columns: list[str], source: str, told: TableMapping) -> dict[str, tuple[str, ...]]:
    """Our column -> the shop's, for every column of ours that the shop has."""
    theirs: dict[str, tuple[str, ...]] = {}
    for column in TABLES[table]:
        if column.name in told.constants:
            continue
        if column.name in told.columns:
            wanted = told.columns[column.name]
            found = [find_column(name, columns, source) for name in wanted]
            missing = [name for name, there in zip(wanted, found, strict=True) if there is None]
            if missing:
                raise IngestError(
                    f"{source}: expected column {', '.join(missing)} for {table}.{column.name}, as the "
                    f"mapping says, received {received(columns)}. Correct the mapping or the file."
                )
            theirs[column.name] = tuple(name for name in found if name is not None)
            continue
        names = (column.name, *column.also)
        there = [name for name in names if find_column(name, columns, source) is not None]
        if there:
            chosen = [there[0], *(name for name in there[1:] if name in column.otherwise)]
            named = (find_column(name, columns, source) for name in chosen)
            theirs[column.name] = tuple(dict.fromkeys(name for name in named if name is not None))
    _check_required(table, theirs, columns, source, told)
    return theirs


def _check_required(
    table: str, theirs: Collection[str], columns: list[str], source: str, told: TableMapping
) -> None:
    missing = [
        column.name
        for column in TABLES[table]
        if column.required and column.name not in theirs and column.name not in told.constants
    ]
    if table == "events" and "search_query" in theirs and "item_id" in missing:
        missing.remove("item_id")  # a file of searches alone names no items
    if missing:
        raise IngestError(
            f"{source}: missing column {', '.join(missing)}. Expected the columns of {table}: "
            f"{expected(table)}; received {received(columns)}. Add the column, or say in a mapping file "
            "(--mapping) which column it is or which value all rows have, such as "
            f"`tables: {{{table}: {{columns: {{{missing[0]}: your_column}}}}}}`."
        )


def _attributes(rows: pl.DataFrame, original: pl.DataFrame, told: TableMapping, source: str) -> pl.Series:
    """The shop's columns as `name:value`, behind the attributes that the shop has written itself."""
    missing = [name for name in told.attributes if name not in original.columns]
    if missing:
        raise IngestError(
            f"{source}: expected column {', '.join(missing)} for attributes, as the mapping says, "
            f"received {received(original.columns)}. Correct the mapping or the file."
        )
    named = [
        pl.format(f"{name}:{{}}", pl.col(name).cast(pl.String).replace("", None)) for name in told.attributes
    ]
    made = original.select(attributes=pl.concat_list(named).list.drop_nulls())["attributes"]
    if "attributes" not in rows.columns:
        return made
    own = to_list(rows["attributes"]).values.fill_null([])
    return pl.select(pl.concat_list(own, made)).to_series().rename("attributes")
