"""User history: what a user did last, newest first, as known at the end of each day."""

import ibis
import ibis.expr.types as ir

from pipelines.features.transforms.calendar import instant_literal, start_of_day
from pipelines.features.transforms.config import FeatureConfig
from pipelines.features.transforms.inputs import FeatureInputs


def user_history(shop: FeatureInputs, config: FeatureConfig) -> ir.Table:
    """One row for each user and day with events; the running day of `as_of` is known at `as_of`.

    Rows before the last `span_days` are left out, except the newest of each user, so that every instant
    inside these days finds the state that held then. Events of one instant are in the order of their ids.
    """
    events = shop.events.filter(
        shop.events.event_type.isin(config.history_event_types), shop.events.item_id.notnull()
    )
    newest_first = [events.event_at.desc(), events.event_id.desc()]
    of_event = ibis.struct({"item": events.item_id, "type": events.event_type, "at_s": events.at_s})
    # One list is sorted, not three; and lists are cut from a user's own row: a join would copy them whole.
    whole = events.group_by("user_id").aggregate(
        listed=of_event.collect(order_by=newest_first), n_events=events.count()
    )
    days = _days(events, shop.span.from_day)
    of_day = ibis.struct({"day": days.day, "n_known": days.n_known})
    users = whole.join(days.group_by("user_id").aggregate(days=of_day.collect()), "user_id")
    kept = shop.keep(
        users.select(
            "user_id",
            "n_events",
            "days",
            **{name: users.listed.map(lambda one, name=name: one[name]) for name in ("item", "type", "at_s")},
        )
    )
    rows = kept.select("user_id", "n_events", "item", "type", "at_s", of_day=kept.days.unnest())
    rows = rows.mutate(day=rows.of_day.day, newer=rows.n_events - rows.of_day.n_known)
    upto = rows.newer + config.history_length
    return rows.select(
        "user_id",
        known_at=ibis.least(start_of_day(rows.day + 1), instant_literal(shop.as_of)),
        item_ids=rows["item"][rows.newer : upto],
        event_types=rows["type"][rows.newer : upto],
        event_times=rows["at_s"][rows.newer : upto],
    )


def _days(events: ir.Table, from_day: int) -> ir.Table:
    """`user_id day n_known`: the days from `from_day` and the newest before; events known when it ended."""
    days = events.group_by(["user_id", "day"]).aggregate(n_known=events.count())
    days = days.mutate(
        n_known=days.n_known.sum()
        .over(ibis.cumulative_window(group_by="user_id", order_by="day"))
        .cast("int64"),
        next_day=days.day.lead().over(ibis.window(group_by="user_id", order_by="day")),
    )
    # The row of day D holds from D+1 until the next row begins.
    return days.filter(days.next_day.isnull() | (days.next_day + 1 > from_day)).select(
        "user_id", "day", "n_known"
    )
