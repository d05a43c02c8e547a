"""Feature views about users: activity, history, profile and affinities."""

from datetime import timedelta

from feast import FeatureView
from feast.types import Array, Float64, Int64, String

from feature_repo.entities import OWNER, user
from feature_repo.fields import ALL_TIME, NO_WINDOW, WINDOWS, feature, key, last
from feature_repo.sources import (
    user_activity_source,
    user_affinity_source,
    user_history_source,
    user_profile_source,
)

FOREVER = timedelta(0)
"""No time to live: a window that runs empty writes a row that says so."""

HISTORY = "the last 512 events"

NO_PURCHASE = "no purchase in the window"

user_activity = FeatureView(
    name="user_activity",
    entities=[user],
    ttl=FOREVER,
    schema=[
        key("user_id", String),
        *(
            feature(f"{name}_{days}d", Int64, f"{what} in {last(days)}.", unit="events")
            for name, what in (
                ("views", "Items viewed"),
                ("carts", "Carts filled"),
                ("purchases", "Lines bought"),
            )
            for days in WINDOWS
        ),
        feature("searches_30d", Int64, "Searches in the last 30 whole days.", unit="events"),
        feature("sessions_30d", Int64, "Sessions that began in the last 30 whole days.", unit="sessions"),
        feature("active_days_30d", Int64, "Days with any action among the last 30.", unit="days"),
        feature(
            "distinct_items_30d", Int64, "Different items bought in the last 30 whole days.", unit="items"
        ),
        feature("spend_7d", Float64, "Money spent in the last 7 whole days.", unit="shop currency"),
        feature("spend_30d", Float64, "Money spent in the last 30 whole days.", unit="shop currency"),
        feature(
            "mean_basket_value_30d",
            Float64,
            "Money spent for each basket begun in the last 30 whole days.",
            unit="shop currency",
            null=NO_PURCHASE,
        ),
        feature(
            "mean_basket_items_30d",
            Float64,
            "Lines bought for each basket begun in the last 30 whole days.",
            unit="lines",
            null=NO_PURCHASE,
        ),
        feature(
            "mean_price_30d",
            Float64,
            "Mean price of one unit bought in the last 30 whole days.",
            unit="shop currency",
            null=NO_PURCHASE,
        ),
        feature(
            "mean_price",
            Float64,
            "Mean price of all units ever bought.",
            unit="shop currency",
            window=ALL_TIME,
            null="never bought at a known price",
        ),
        feature(
            "discount_share_30d",
            Float64,
            "Discount as a share of the full price, over the last 30 whole days.",
            unit="share",
            null=NO_PURCHASE,
        ),
        feature(
            "repeat_share_30d",
            Float64,
            "Share of the items bought in the last 30 whole days that the user had bought on an earlier day.",
            unit="share",
            null=NO_PURCHASE,
        ),
        feature(
            "trend_7_30",
            Float64,
            "Daily actions of the last 7 days over those of the last 30: above 1 means rising.",
            unit="ratio",
            window="7 and 30 days",
            null="no action in 30 days",
        ),
        feature(
            "purchase_gap_days",
            Float64,
            "Mean days from one day with a purchase to the next, over all time.",
            unit="days",
            window=ALL_TIME,
            null="fewer than two days with a purchase",
        ),
        feature(
            "recency_days",
            Int64,
            "Days from the last day with an action to `known_at`; 1 means the day before.",
            unit="days",
            window=ALL_TIME,
        ),
        feature(
            "tenure_days",
            Int64,
            "Days from the first day with an action to `known_at`.",
            unit="days",
            window=ALL_TIME,
        ),
        feature(
            "last_event_at_s",
            Int64,
            "Instant of the last action.",
            unit="seconds since 1970 UTC",
            window=ALL_TIME,
        ),
    ],
    source=user_activity_source,
    online=True,
    description="What a user did over 1, 7 and 30 days, known when the last one ended.",
    tags={"kind": "time series", "freshness": "1 day", "budget_hours": "36", "window": "1, 7 and 30 days"},
    owner=OWNER,
)

user_history = FeatureView(
    name="user_history",
    entities=[user],
    ttl=FOREVER,
    schema=[
        key("user_id", String),
        feature(
            "item_ids", Array(String), "Items of the last events, newest first.", unit="ids", window=HISTORY
        ),
        feature(
            "event_types",
            Array(String),
            "What the user did with each of these items.",
            unit="event types",
            window=HISTORY,
        ),
        feature(
            "event_times",
            Array(Int64),
            "When, for each of these events.",
            unit="seconds since 1970 UTC",
            window=HISTORY,
        ),
    ],
    source=user_history_source,
    online=True,
    description="A user's last events, newest first; three lists of one length, at most 512 long.",
    tags={"kind": "sequence", "freshness": "1 day", "budget_hours": "36", "window": HISTORY},
    owner=OWNER,
)

user_profile = FeatureView(
    name="user_profile",
    entities=[user],
    ttl=FOREVER,
    schema=[
        key("user_id", String),
        *(
            feature(
                name,
                String,
                f"{what}, as told to the shop.",
                unit="name",
                window=NO_WINDOW,
                null="not told, or no consent",
            )
            for name, what in (
                ("gender", "Gender"),
                ("age_band", "Age band"),
                ("location", "Place"),
                ("income", "Yearly income band of the household"),
                ("home_ownership", "Whether the home is owned or rented"),
                ("marital_status", "Marital status"),
                ("household_size", "People in the household"),
                ("household_comp", "Who lives in the household"),
                ("kids_count", "Children in the household"),
            )
        ),
    ],
    source=user_profile_source,
    online=True,
    description="What a user said of themselves; empty for users who did not consent.",
    tags={
        "kind": "profile",
        "freshness": "on change",
        "budget_hours": "36",
        "window": NO_WINDOW,
        "pii": "demographic",
    },
    owner=OWNER,
)

user_affinity = FeatureView(
    name="user_affinity",
    entities=[user],
    ttl=FOREVER,
    schema=[
        key("user_id", String),
        *(
            field
            for one, many in (("category", "categories"), ("brand", "brands"))
            for field in (
                feature(
                    f"top_{many}",
                    Array(String),
                    f"The {many} of most actions in the last 13 weeks, strongest first, at most 5.",
                    unit=many,
                    window="13 weeks",
                    null=f"no action with a known {one}",
                ),
                feature(
                    f"top_{one}_shares",
                    Array(Float64),
                    f"Share of the user's actions for each of the top {many}.",
                    unit="share",
                    window="13 weeks",
                    null=f"no action with a known {one}",
                ),
            )
        ),
    ],
    source=user_affinity_source,
    online=True,
    description="Categories and brands that a user turns to, anew each Monday; kept while a user is away.",
    tags={"kind": "interaction", "freshness": "1 week", "budget_hours": "192", "window": "13 weeks"},
    owner=OWNER,
)
