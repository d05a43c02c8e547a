"""Finding the contract's columns among those that a shop has."""

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning import to_list
from pipelines.ingest.columns import TABLES, expected
from pipelines.ingest.mapping import Mapping, TableMapping

LONGEST_LIST = 40
"""Names that an error message shows at most."""

LONGEST_NAME = 120
"""Characters of a name that an error message shows at most."""


def to_batch(
    table: str, original: pl.DataFrame, source: str, shop: Mapping, *, decimal_comma: bool = False
) -> Batch:
    """Rows of a shop under the names of the contract of `table`.

    Args:
        table: Our table.
        original: The shop's rows.
        source: Where they come from, for messages and for the quarantine.
        shop: What the shop calls its columns.
        decimal_comma: Whether numbers have a decimal comma.

    Raises:
        IngestError: A required column is missing.
    """
    told = shop.of(table)
    theirs = _theirs(table, original.columns, source, told)
    rows = original.select(pl.col(name).alias(ours) for ours, name in theirs.items()).with_columns(
        pl.lit(value).alias(ours) for ours, value in told.constants.items()
    )
    if told.attributes:
        rows = rows.with_columns(_attributes(rows, original, told, source))
    used = {*theirs.values(), *told.attributes}
    return Batch(
        table=table,
        source=source,
        rows=rows,
        original=original,
        ignored_columns=tuple(name for name in original.columns if name not in used),
        scale=told.scale,
        decimal_comma=decimal_comma,
        timezone=shop.timezone,
    )


def plain(name: str) -> str:
    """A column name without blanks around it and in small letters."""
    return name.strip().strip("\ufeff").lower()


def received(columns: list[str]) -> str:
    """The shop's columns as an error message lists them."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in columns]
    if len(names) > LONGEST_LIST:
        return f"{', '.join(names[:LONGEST_LIST])} and {len(names) - LONGEST_LIST} more"
    return ", ".join(names) or "no column"


def guess_table(columns: list[str]) -> str | None:
    """The table that a file of these columns must be, or None where they do not tell."""
    names = {plain(name) for name in columns}
    has = {
        column.name
        for table in ("events", "items", "users")
        for column in TABLES[table]
        if names & {column.name, *column.also}
    }
    if "user_id" in has and has & {"event_type", "event_at"}:
        return "events"
    if "item_id" in has and "user_id" not in has:
        return "items"
    if "user_id" in has and "item_id" not in has:
        return "users"
    return None


def _theirs(table: str, columns: list[str], source: str, told: TableMapping) -> dict[str, str]:
    """Our column -> the shop's, for every column of ours that the shop has."""
    by_plain: dict[str, str] = {}
    for name in columns:
        if by_plain.setdefault(plain(name), name) != name:
            raise IngestError(
                f"{source}: expected each column once, received both {by_plain[plain(name)]!r} and {name!r}. "
                "Rename or drop one of them."
            )
    theirs: dict[str, str] = {}
    for column in TABLES[table]:
        if column.name in told.constants:
            continue
        wanted = (told.columns[column.name],) if column.name in told.columns else (column.name, *column.also)
        found = next((by_plain[plain(name)] for name in wanted if plain(name) in by_plain), None)
        if found is not None:
            theirs[column.name] = found
        elif column.name in told.columns:
            raise IngestError(
                f"{source}: expected column {told.columns[column.name]} for {table}.{column.name}, as the "
                f"mapping says, received {received(columns)}. Correct the mapping or the file."
            )
    _check_required(table, theirs, columns, source, told)
    return theirs


def _check_required(
    table: str, theirs: dict[str, str], columns: list[str], source: str, told: TableMapping
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
