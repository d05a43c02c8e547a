"""Point-in-time joins as SQL for DuckDB: the newest row of each key that was known at an instant.

DuckDB's `ASOF JOIN` finds it in one pass over both sides, sorted by key and time, and returns every left row
once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from serving.features.online_store import quoted

ROW = "__row"
"""Column that numbers the entity rows, so that the answer can be put in their order."""

AT = "__at"
"""Column with the instants of the entity rows, in microseconds UTC."""


def text(value: str) -> str:
    """Return a string as SQL literal."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class JoinedView:
    """One feature view as the join sees it."""

    relation: str
    """SQL of the feature rows, such as `read_parquet([...])`."""

    keys: tuple[tuple[str, str], ...]
    """Pairs of entity column and feature column that must be equal; none for a view without entity."""

    features: tuple[tuple[str, str], ...]
    """Pairs of feature column and its name in the answer."""

    known_at: str
    """Column with the instant from which a row was known."""

    created_at: str | None = None
    """Column that breaks ties: of rows known from the same instant the one created last holds."""

    ttl: timedelta | None = None
    """Age beyond which a row no longer counts; None or zero: never."""

    lists: frozenset[str] = frozenset()
    """Names in the answer of the features that are lists, as far as that is known."""


def asof_join(view: JoinedView, entities: str = "entities", *, created_before: bool = False) -> str:
    """Return SQL for `__row` and the features of every entity row, null where nothing was known.

    Args:
        view: What is joined.
        entities: Relation with `__row`, `__at` and the entity columns.
        created_before: Leave out rows that were created after the instant of the entity row.
    """
    columns = ", ".join(f"{_unexpired(view, source)} AS {quoted(name)}" for source, name in view.features)
    if created_before and view.created_at is not None:
        return _ranked_join(view, entities, columns)
    match = [f"e.{quoted(ours)} = f.{quoted(theirs)}" for ours, theirs in view.keys]
    match.append(f"e.{AT} >= f.{quoted(view.known_at)}")
    return (
        f"SELECT e.{ROW}, {columns} FROM {entities} e ASOF LEFT JOIN ({_one_row_each(view)}) f "
        f"ON {' AND '.join(match)}"
    )


def newest_rows(
    relation: str,
    keys: Sequence[str],
    columns: Sequence[str],
    known_at: str,
    created_at: str | None,
    where: str,
) -> str:
    """Return SQL for the newest row of every key among those for which `where` holds."""
    order = ", ".join(f"{quoted(name)} DESC NULLS LAST" for name in (known_at, created_at) if name)
    partition = f"PARTITION BY {', '.join(map(quoted, keys))} " if keys else ""
    return (
        f"SELECT {', '.join(map(quoted, columns))} FROM {relation} WHERE {where} "
        f"QUALIFY row_number() OVER ({partition}ORDER BY {order}) = 1"
    )


def _unexpired(view: JoinedView, column: str) -> str:
    if not view.ttl:
        return f"f.{quoted(column)}"
    microseconds = view.ttl // timedelta(microseconds=1)
    return (
        f"CASE WHEN f.{quoted(view.known_at)} >= e.{AT} - to_microseconds({microseconds}) "
        f"THEN f.{quoted(column)} END"
    )


def _one_row_each(view: JoinedView) -> str:
    """The feature rows, one for each key and instant."""
    keys = [theirs for _, theirs in view.keys]
    columns = list(dict.fromkeys([*keys, view.known_at, *(source for source, _ in view.features)]))
    if view.created_at is None:
        return f"SELECT {', '.join(map(quoted, columns))} FROM {view.relation}"
    return newest_rows(view.relation, [*keys, view.known_at], columns, view.created_at, None, "true")


def _ranked_join(view: JoinedView, entities: str, columns: str) -> str:
    """The same by comparing all earlier rows: two conditions on time are more than one ASOF join can hold."""
    created = f"f.{quoted(view.created_at or '')}"
    match = [f"e.{quoted(ours)} = f.{quoted(theirs)}" for ours, theirs in view.keys]
    match += [f"e.{AT} >= f.{quoted(view.known_at)}", f"e.{AT} >= {created}"]
    return (
        f"SELECT e.{ROW}, {columns} FROM {entities} e LEFT JOIN {view.relation} f ON {' AND '.join(match)} "
        f"QUALIFY row_number() OVER (PARTITION BY e.{ROW} "
        f"ORDER BY f.{quoted(view.known_at)} DESC NULLS LAST, {created} DESC NULLS LAST) = 1"
    )
