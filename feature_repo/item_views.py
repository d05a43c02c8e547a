"""Feature views about items: activity, profile and items bought together."""

from feast import FeatureView
from feast.types import Array, Bool, Float64, Int64, String

from feature_repo.entities import OWNER, item
from feature_repo.fields import ALL_TIME, NO_WINDOW, WINDOWS, feature, key, last
from feature_repo.sources import item_activity_source, item_pairs_source, item_profile_source
from feature_repo.user_views import FOREVER, NO_PURCHASE

item_activity = FeatureView(
    name="item_activity",
    entities=[item],
    ttl=FOREVER,
    schema=[
        key("item_id", String),
        feature("impressions_30d", Int64, "Times shown in a list in the last 30 whole days.", unit="events"),
        *(
            feature(f"{name}_{days}d", Int64, f"{what} in {last(days)}.", unit="events")
            for name, what in (
                ("views", "Views"),
                ("carts", "Times put in a cart"),
                ("purchases", "Lines sold"),
            )
            for days in WINDOWS
        ),
        feature("purchases_total", Int64, "Lines sold over all time.", unit="events"),
        feature("buyers_30d", Int64, "Different buyers in the last 30 whole days.", unit="users"),
        feature("buyers_total", Int64, "Different buyers over all time.", unit="users"),
        feature("revenue_30d", Float64, "Revenue of the last 30 whole days.", unit="shop currency"),
        feature(
            "conversion_30d",
            Float64,
            "Lines sold for each view in the last 30 whole days.",
            unit="ratio",
            null="no view in the window",
        ),
        feature(
            "repeat_rate",
            Float64,
            "Share of all buyers who bought it again on a later day.",
            unit="share",
            window=ALL_TIME,
            null="never bought",
        ),
        feature(
            "mean_price_30d",
            Float64,
            "Mean price paid for one unit in the last 30 whole days.",
            unit="shop currency",
            null=NO_PURCHASE,
        ),
        feature(
            "mean_price",
            Float64,
            "Mean price paid for one unit over all time.",
            unit="shop currency",
            window=ALL_TIME,
            null="never bought at a known price",
        ),
        feature(
            "price_change_7_30",
            Float64,
            "Mean price of the last 7 days over that of the last 30, minus 1.",
            unit="ratio",
            window="7 and 30 days",
            null="no purchase in the last 7 days",
        ),
        feature(
            "discount_share_30d",
            Float64,
            "Discount as a share of the full price, over the last 30 whole days.",
            unit="share",
            null=NO_PURCHASE,
        ),
        feature(
            "mean_rating",
            Float64,
            "Mean rating over all time.",
            unit="rating points",
            window=ALL_TIME,
            null="never rated",
        ),
        feature("ratings_total", Int64, "Ratings over all time.", unit="events"),
        feature(
            "trend_7_30",
            Float64,
            "Daily actions of the last 7 days over those of the last 30: above 1 means rising.",
            unit="ratio",
            window="7 and 30 days",
            null="no action in 30 days",
        ),
        feature(
            "recency_days",
            Int64,
            "Days from the last day with an action to `known_at`; 1 means the day before.",
            unit="days",
            window=ALL_TIME,
            null="shown, but never acted on",
        ),
        feature(
            "age_days",
            Int64,
            "Days from the first day with an action to `known_at`.",
            unit="days",
            window=ALL_TIME,
            null="shown, but never acted on",
        ),
        feature(
            "last_event_at_s",
            Int64,
            "Instant of the last action.",
            unit="seconds since 1970 UTC",
            window=ALL_TIME,
            null="shown, but never acted on",
        ),
    ],
    source=item_activity_source,
    online=True,
    description="What shoppers did with an item over 1, 7 and 30 days, known when the last one ended.",
    tags={"kind": "time series", "freshness": "1 day", "budget_hours": "36", "window": "1, 7 and 30 days"},
    owner=OWNER,
)

item_profile = FeatureView(
    name="item_profile",
    entities=[item],
    ttl=FOREVER,
    schema=[
        key("item_id", String),
        feature("title", String, "Name shown to shoppers.", unit="text", window=NO_WINDOW),
        feature(
            "category",
            String,
            "Path in the catalogue, levels joined by ` > `.",
            unit="path",
            window=NO_WINDOW,
            null="unknown",
        ),
        *(
            feature(
                f"category_{level}",
                String,
                f"Level {level} of the path.",
                unit="name",
                window=NO_WINDOW,
                null="no such level",
            )
            for level in (1, 2, 3)
        ),
        feature("brand", String, "Brand.", unit="name", window=NO_WINDOW, null="unknown"),
        feature(
            "price",
            Float64,
            "Price in the catalogue.",
            unit="shop currency",
            window=NO_WINDOW,
            null="not in the catalogue",
        ),
        feature("available", Bool, "Whether the item can be bought.", unit="yes or no", window=NO_WINDOW),
        feature(
            "attributes",
            Array(String),
            "Other facts, as `name:value`.",
            unit="text",
            window=NO_WINDOW,
            null="none given",
        ),
    ],
    source=item_profile_source,
    online=True,
    description="What the catalogue says of an item, from the instant on which it said so.",
    tags={"kind": "profile", "freshness": "on change", "budget_hours": "36", "window": NO_WINDOW},
    owner=OWNER,
)

item_pairs = FeatureView(
    name="item_pairs",
    entities=[item],
    ttl=FOREVER,
    schema=[
        key("item_id", String),
        feature(
            "pair_ids",
            Array(String),
            "Items bought in the same baskets, strongest first.",
            unit="ids",
            window="180 days",
        ),
        feature(
            "pair_scores",
            Array(Float64),
            "Shared baskets over the root of both items' baskets (cosine), for each of them.",
            unit="cosine",
            window="180 days",
        ),
    ],
    source=item_pairs_source,
    online=True,
    description="Items bought together over the last 180 days, as known when features were built last.",
    tags={"kind": "interaction", "freshness": "1 day", "budget_hours": "36", "window": "180 days"},
    owner=OWNER,
)
