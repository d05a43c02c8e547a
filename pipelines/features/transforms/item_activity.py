"""Item activity: popularity, conversion, price and repeat purchases."""

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


def item_activity(shop: FeatureInputs) -> ir.Table:
    """One row for each item and day on which a value changes, known when the day before it ends."""
    events = shop.events.filter(shop.events.item_id.notnull())
    totals = running_totals(
        "item_id",
        [
            *changes_of_windows(
                shop.keep(_days(events)),
                "item_id",
                {
                    "impressions": (30,),
                    "views": WINDOWS,
                    "carts": WINDOWS,
                    "purchases": WINDOWS,
                    "actions": (7, 30),
                    "revenue": (7, 30),
                    "units": (7, 30),
                    "discounted": (30,),
                },
                shop.span,
                totals=("purchases", "revenue", "units", "ratings", "rating_sum"),
            ),
            *changes_of_distinct(shop.purchases, "item_id", "buyers_30d", 30, shop.span),
            _buyers(shop),
            _marks(events),
        ],
        span=shop.span,
        keep=shop.keep,
        last=("last_day", "last_at_s"),
        first=("first_day",),
    )
    t = totals
    return t.select(
        "item_id",
        known_at=start_of_day(t.day),
        impressions_30d=t.impressions_30d,
        **{f"{name}_{w}d": t[f"{name}_{w}d"] for name in ("views", "carts", "purchases") for w in WINDOWS},
        purchases_total=t.purchases_total,
        buyers_30d=t.buyers_30d,
        buyers_total=t.buyers_total,
        revenue_30d=t.revenue_30d / MICRO,
        conversion_30d=ratio(t.purchases_30d, t.views_30d),
        repeat_rate=ratio(t.repeat_buyers_total, t.buyers_total),
        mean_price_30d=ratio(t.revenue_30d, t.units_30d),
        mean_price=ratio(t.revenue_total, t.units_total),
        price_change_7_30=ratio(t.revenue_7d, t.units_7d) / ratio(t.revenue_30d, t.units_30d).nullif(0) - 1,
        discount_share_30d=ratio(t.discounted_30d, t.revenue_30d + t.discounted_30d),
        mean_rating=ratio(t.rating_sum_total, t.ratings_total) / MICRO,
        ratings_total=t.ratings_total,
        trend_7_30=ratio(t.actions_7d * 30, t.actions_30d * 7),
        recency_days=t.day - t.last_day,
        age_days=t.day - t.first_day,
        last_event_at_s=t.last_at_s,
    )


def _days(events: ir.Table) -> ir.Table:
    of_type = {"impressions": "impression", "views": "view", "carts": "cart", "purchases": "purchase"}
    rated = (events.event_type == "rating") & events.rating.notnull()
    return events.group_by(["item_id", "day"]).aggregate(
        **{name: (events.event_type == one).sum() for name, one in of_type.items()},
        actions=(events.event_type != "impression").sum(),
        revenue=events.spend.sum(),
        units=events.units.sum(),
        discounted=events.discounted.sum(),
        ratings=rated.sum(),
        rating_sum=(events.rating * MICRO).round().cast("int64").sum(where=rated).fill_null(0),
    )


def _buyers(shop: FeatureInputs) -> ir.Table:
    """A user's first day with an item makes a buyer, the second a repeat buyer."""
    pairs = shop.purchases.filter(shop.purchases.nth <= 2)
    return pairs.select(
        "item_id",
        day=pairs.day + 1,
        buyers_total=(pairs.nth == 1).cast("int64"),
        repeat_buyers_total=(pairs.nth == 2).cast("int64"),
    )


def _marks(events: ir.Table) -> ir.Table:
    acted = events.filter(events.event_type != "impression")
    days = acted.group_by(["item_id", "day"]).aggregate(last_at_s=acted.at_s.max())
    return days.select(
        "item_id", day=days.day + 1, last_day=days.day, first_day=days.day, last_at_s=days.last_at_s
    )
