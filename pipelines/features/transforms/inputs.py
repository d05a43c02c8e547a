"""The shop as features see it: events before `as_of`, with day numbers and exact amounts."""

from dataclasses import dataclass, replace
from datetime import datetime

import ibis
import ibis.expr.types as ir

from pipelines.features.engines import Keep
from pipelines.features.transforms.calendar import Span, day_number, day_of, instant_literal, unix_seconds
from pipelines.features.transforms.first_states import states_before

MICRO = 1_000_000
"""Amounts are added up in millionths, as integers: a sum does not depend on the order of its rows."""

EVENT_COLUMNS = (
    *("event_id", "event_at", "user_id", "session_id", "event_type", "item_id"),
    *("quantity", "price", "discount", "rating"),
)
ITEM_COLUMNS = ("item_id", "title", "category", "brand", "price", "attributes", "available", "updated_at")
USER_COLUMNS = ("user_id", "gender", "age_band", "location", "consent", "attributes", "updated_at")
"""What features read of the lake's tables."""


@dataclass(frozen=True, slots=True)
class FeatureInputs:
    """What was known of a shop before `as_of`."""

    events: ir.Table
    """Columns of the lake and `day`, `at_s`, `visit` (session, or the day where there is none) and the
    amounts of purchases in millionths: `spend`, `discounted`, `units` (quantity where there is a price)."""

    items: ir.Table
    """History of the items, as in the lake; the first state of each holds from the beginning."""

    users: ir.Table
    """History of the users, as in the lake; the first state of each holds from the beginning."""

    as_of: datetime
    """Exclusive: nothing at or after this instant is in the tables."""

    span: Span
    """The days for which every state of a feature is kept."""

    purchases: ir.Table
    """One row for each user, item and day with a purchase; `previous_day`, `next_day`: of the same user and
    item, `nth`: how many such days until then, this one included."""

    keep: Keep
    """Computes a table once, for expressions that read it several times."""


def known_shop(
    events: ir.Table, items: ir.Table, users: ir.Table, as_of: datetime, span_days: int, keep: Keep
) -> FeatureInputs:
    """Cut the lake's tables at `as_of` (exclusive) and add what every feature needs.

    Args:
        events: Table `events` of the lake.
        items: Table `items` of the lake.
        users: Table `users` of the lake.
        as_of: Exclusive cutoff.
        span_days: Days before `as_of` for which every state of a feature is kept.
        keep: Computes a table once, for expressions that read it several times.
    """
    cutoff = instant_literal(as_of)
    events = events.filter(events.event_at < cutoff)
    bought = events.event_type == "purchase"
    quantity = events.quantity.fill_null(1.0)
    events = events.mutate(
        day=day_number(events.event_at),
        at_s=unix_seconds(events.event_at),
        spend=_millionths(bought, events.price * quantity),
        discounted=_millionths(bought, events.discount * quantity),
        units=_millionths(bought & events.price.notnull(), quantity),
    )
    visit = events.session_id.fill_null(ibis.literal("day-") + events.day.cast("string"))
    events = keep(events.mutate(visit=visit))
    return FeatureInputs(
        events=events,
        items=states_before(items, "item_id", as_of),
        users=states_before(users, "user_id", as_of),
        as_of=as_of,
        span=Span(from_day=day_of(as_of) - span_days, until_day=day_of(as_of)),
        keep=keep,
        purchases=keep(_purchase_days(events)),
    )


def part_of_users(shop: FeatureInputs, part: int, parts: int) -> FeatureInputs:
    """What the shop knows of one part of its users; the catalogue stays whole."""
    if parts == 1:
        return shop

    def own(table: ir.Table) -> ir.Table:
        of_user = table.user_id.hash() % parts  # below 0 for half of the users
        return table.filter((of_user + parts) % parts == part)

    return replace(shop, events=own(shop.events), users=own(shop.users), purchases=own(shop.purchases))


def _millionths(counts: ir.BooleanValue, amount: ir.NumericValue) -> ir.IntegerValue:
    return ibis.ifelse(counts, (amount * MICRO).round().cast("int64"), 0).fill_null(0).cast("int64")


def _purchase_days(events: ir.Table) -> ir.Table:
    bought = events.filter(events.event_type == "purchase", events.item_id.notnull())
    days = bought.select("user_id", "item_id", "day").distinct()
    of_pair = ibis.window(group_by=["user_id", "item_id"], order_by="day")
    return days.mutate(
        previous_day=days.day.lag().over(of_pair),
        next_day=days.day.lead().over(of_pair),
        nth=ibis.row_number().over(of_pair) + 1,
    )
