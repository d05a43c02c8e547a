"""User activity: counts, spend and habits over 1, 7 and 30 days."""

import ibis
import ibis.expr.types as ir

from pipelines.features.transforms.calendar import start_of_day
from pipelines.features.transforms.inputs import MICRO, FeatureInputs
from pipelines.features.transforms.windows import (
    changes_of_distinct,
    changes_of_windows,
    ratio,
    running_totals,
)

WINDOWS = (1, 7, 30)


def user_activity(shop: FeatureInputs) -> ir.Table:
    """One row for each user and day on which a value changes, known when the day before it ends."""
    actions = shop.events.filter(shop.events.event_type != "impression")
    totals = running_totals(
        "user_id",
        [
            *changes_of_windows(
                shop.keep(_days(shop, actions)),
                "user_id",
                {
                    "views": WINDOWS,
                    "carts": WINDOWS,
                    "purchases": WINDOWS,
                    "searches": (30,),
                    "actions": (7, 30),
                    "active_days": (30,),
                    "spend": (7, 30),
                    "units": (30,),
                    "discounted": (30,),
                    "sessions": (30,),
                    "baskets": (30,),
                    "bought": (30,),
                    "bought_again": (30,),
                },
                shop.span,
                totals=("spend", "units", "purchase_days"),
                marks={
                    "last_day": "day",
                    "first_day": "day",
                    "last_purchase_day": "bought_on",
                    "first_purchase_day": "bought_on",
                    "last_at_s": "last_at_s",
                },
            ),
            *changes_of_distinct(shop.purchases, "user_id", "distinct_items_30d", 30, shop.span),
        ],
        span=shop.span,
        keep=shop.keep,
        last=("last_day", "last_purchase_day", "last_at_s"),
        first=("first_day", "first_purchase_day"),
    )
    t = totals
    return t.select(
        "user_id",
        known_at=start_of_day(t.day),
        **{f"{name}_{w}d": t[f"{name}_{w}d"] for name in ("views", "carts", "purchases") for w in WINDOWS},
        searches_30d=t.searches_30d,
        sessions_30d=t.sessions_30d,
        active_days_30d=t.active_days_30d,
        distinct_items_30d=t.distinct_items_30d,
        spend_7d=t.spend_7d / MICRO,
        spend_30d=t.spend_30d / MICRO,
        mean_basket_value_30d=ratio(t.spend_30d, t.baskets_30d) / MICRO,
        mean_basket_items_30d=ratio(t.purchases_30d, t.baskets_30d),
        mean_price_30d=ratio(t.spend_30d, t.units_30d),
        mean_price=ratio(t.spend_total, t.units_total),
        discount_share_30d=ratio(t.discounted_30d, t.spend_30d + t.discounted_30d),
        repeat_share_30d=ratio(t.bought_again_30d, t.bought_30d),
        trend_7_30=ratio(t.actions_7d * 30, t.actions_30d * 7),
        purchase_gap_days=ratio(t.last_purchase_day - t.first_purchase_day, t.purchase_days_total - 1),
        recency_days=t.day - t.last_day,
        tenure_days=t.day - t.first_day,
        last_event_at_s=t.last_at_s,
    )


def _days(shop: FeatureInputs, actions: ir.Table) -> ir.Table:
    """One row for each user and day with actions: each visit and each purchase is on one of these days."""
    of_type = {"views": "view", "carts": "cart", "purchases": "purchase", "searches": "search"}
    bought = actions.event_type == "purchase"
    days = actions.group_by(["user_id", "day"]).aggregate(
        **{name: (actions.event_type == one).sum() for name, one in of_type.items()},
        actions=actions.count(),
        purchase_days=bought.any().cast("int64"),
        spend=actions.spend.sum(),
        units=actions.units.sum(),
        discounted=actions.discounted.sum(),
        last_at_s=actions.at_s.max(),
        bought_on=actions.day.min(where=bought),
    )
    days = days.mutate(active_days=ibis.literal(1, type="int64"))
    for more in (_visits(actions), _repeats(shop)):
        counts = [name for name in more.columns if name not in ("user_id", "day")]
        both = days.left_join(more, ["user_id", "day"])
        days = both.select(*days.columns, **{name: both[name].fill_null(0) for name in counts})
    return days


def _visits(actions: ir.Table) -> ir.Table:
    """Sessions and baskets, each counted on the day of its first event and of its first purchase."""
    visits = actions.group_by(["user_id", "visit"]).aggregate(
        day=actions.day.min(),
        bought_on=actions.day.min(where=actions.event_type == "purchase"),
    )
    one, zero = ibis.literal(1, type="int64"), ibis.literal(0, type="int64")
    sessions = visits.select("user_id", "day", sessions=one, baskets=zero)
    baskets = visits.filter(visits.bought_on.notnull()).select(
        "user_id", day=visits.bought_on, sessions=zero, baskets=one
    )
    both = sessions.union(baskets)
    return both.group_by(["user_id", "day"]).aggregate(
        sessions=both.sessions.sum().cast("int64"), baskets=both.baskets.sum().cast("int64")
    )


def _repeats(shop: FeatureInputs) -> ir.Table:
    pairs = shop.purchases
    return pairs.group_by(["user_id", "day"]).aggregate(
        bought=pairs.count(), bought_again=pairs.previous_day.notnull().sum().cast("int64")
    )
