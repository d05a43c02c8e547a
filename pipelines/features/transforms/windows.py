"""Running totals and moving windows as signed changes.

An amount of day D enters a window of w days when D ends and leaves it w days later: `+amount` on day D+1 and
`-amount` on day D+1+w. The value on any day is the sum of the changes until then, so a table holds a row
exactly for the days on which a value changes, and a window costs one sort instead of one scan for each row.
Amounts are integers: the sums are exact, whatever the order.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir

from pipelines.features.engines import Keep
from pipelines.features.transforms.calendar import Span


def changes_of_windows(
    daily: ir.Table,
    key: str,
    windows: Mapping[str, Sequence[int]],
    span: Span,
    totals: Sequence[str] = (),
    marks: Mapping[str, str] | None = None,
) -> list[ir.Table]:
    """Return the changes by which daily amounts enter and leave their windows.

    Args:
        daily: One row for each key and day: `key`, `day` and integer amounts.
        key: Column that names the entity.
        windows: For each amount, its windows in days; the totals are named `<amount>_<w>d`.
        span: Days that get rows: what left its windows before them is left out.
        totals: Amounts that are also summed from the beginning, under the name `<amount>_total`.
        marks: Further columns of the changes, and the columns of `daily` that they are when a day ends.

    Returns:
        Tables of `key`, `day` (from whose start the change holds) and changes, for `running_totals`.
    """
    spans = sorted({w for spans in windows.values() for w in spans})
    is_recent = daily.day >= span.from_day - spans[-1]
    recent = daily.filter(is_recent)
    # What holds from one day on is one row: the sum over all rows is what costs.
    ever = {f"{amount}_total": daily[amount] for amount in totals}
    ever |= {name: daily[column] for name, column in (marks or {}).items()}
    began = daily if ever else recent
    entering = {
        f"{amount}_{w}d": ibis.ifelse(is_recent, daily[amount], 0) if ever else recent[amount]
        for amount, of in windows.items()
        for w in of
    }
    tables = [began.select(key, day=began.day + 1, **entering, **ever)]
    for w in spans:
        leaving = {f"{amount}_{w}d": -recent[amount] for amount, of in windows.items() if w in of}
        tables.append(recent.select(key, day=recent.day + 1 + w, **leaving))
    return tables


def changes_of_distinct(pairs: ir.Table, key: str, name: str, days: int, span: Span) -> list[ir.Table]:
    """Return the changes of a count of different partners in a window.

    A partner counts once however often it returns: it leaves `days` after its last day in the window, or
    hands over to its next day.

    Args:
        pairs: One row for each key, partner and day, with `next_day` of the same pair (null: none).
        key: Column that names the entity.
        name: Name of the count.
        days: Length of the window.
        span: Days that get rows: partners that left before them are left out.
    """
    one = ibis.literal(1, type="int64")
    leaves = ibis.least(pairs.day + 1 + days, pairs.next_day.fill_null(pairs.day + days) + 1)
    stays = pairs.mutate(leaves=leaves).filter(ibis._.leaves > span.from_day)
    return [
        stays.select(key, day=stays.day + 1, **{name: one}),
        stays.select(key, day=stays.leaves, **{name: -one}),
    ]


def running_totals(
    key: str,
    changes: Sequence[ir.Table],
    span: Span,
    keep: Keep,
    last: Sequence[str] = (),
    first: Sequence[str] = (),
) -> ir.Table:
    """Add changes up: one row for each key and day of the span on which something changes.

    Args:
        key: Column that names the entity.
        changes: Tables of `key`, `day` and integer changes; a missing column does not change.
        span: Days that get rows; what changed before them is summed into a row of the first day.
        keep: Computes a table once.
        last: Columns of which the greatest so far is kept instead of the sum.
        first: Columns of which the smallest so far is kept instead of the sum.
    """
    names = list(
        dict.fromkeys(name for table in changes for name in table.columns if name not in (key, "day"))
    )
    picked = {*last, *first}

    def aligned(table: ir.Table) -> ir.Table:
        return table.filter(table.day <= span.until_day).select(
            key,
            day=ibis.greatest(table.day, span.from_day),
            **{
                name: table[name].cast("int64")
                if name in table.columns
                else ibis.literal(None if name in picked else 0, type="int64")
                for name in names
            },
        )

    every = reduce(lambda one, other: one.union(other), (aligned(table) for table in changes))

    def combined(column: ir.IntegerColumn, name: str) -> ir.IntegerScalar:
        if name in last:
            return column.max()
        if name in first:
            return column.min()
        return column.sum().cast("int64")

    by_day = keep(
        every.group_by([key, "day"]).aggregate(**{name: combined(every[name], name) for name in names})
    )
    so_far = ibis.cumulative_window(group_by=key, order_by="day")
    return by_day.select(key, "day", **{name: combined(by_day[name], name).over(so_far) for name in names})


def ratio(above: ir.NumericValue, below: ir.NumericValue) -> ir.FloatingValue:
    """`above / below`, or null where there is nothing below."""
    return above.cast("float64") / below.nullif(0).cast("float64")
