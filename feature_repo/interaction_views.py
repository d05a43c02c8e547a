"""Feature views about users and categories together."""

from feast import FeatureView
from feast.types import Float64, Int64, String

from feature_repo.entities import OWNER, user_category
from feature_repo.fields import ALL_TIME, feature, key
from feature_repo.sources import user_category_source
from feature_repo.user_views import FOREVER

user_category_activity = FeatureView(
    name="user_category",
    entities=[user_category],
    ttl=FOREVER,
    schema=[
        key("user_category_id", String),
        feature("actions_30d", Int64, "Actions in the category in the last 30 whole days.", unit="events"),
        feature(
            "purchases_30d", Int64, "Lines bought in the category in the last 30 whole days.", unit="events"
        ),
        feature("purchases_total", Int64, "Lines bought in the category over all time.", unit="events"),
        feature("spend_30d", Float64, "Money spent in the last 30 whole days.", unit="shop currency"),
        feature(
            "recency_days",
            Int64,
            "Days from the last day with an action to `known_at`; 1 means the day before.",
            unit="days",
            window=ALL_TIME,
        ),
    ],
    source=user_category_source,
    online=False,
    description="What a user did in one category, the first two levels of the path; offline only.",
    tags={"kind": "interaction", "freshness": "1 day", "budget_hours": "36", "window": "30 days"},
    owner=OWNER,
)
