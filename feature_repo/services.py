"""Feature services: the versioned sets of features that models and other teams read."""

from feast import FeatureService

from feature_repo.entities import OWNER
from feature_repo.item_views import item_activity, item_pairs, item_profile
from feature_repo.user_views import user_activity, user_affinity, user_history, user_profile

INSTANTS = ("last_event_at_s",)
"""Instants of the calendar: facts for people, but no model may learn from them."""

retrieval_v1 = FeatureService(
    name="retrieval_v1",
    features=[
        user_activity[[one.name for one in user_activity.features if one.name not in INSTANTS]],
        user_history,
        user_profile,
    ],
    description="What the query encoder and the ranker read of a user.",
    tags={"version": "1", "consumer": "training and serving"},
    owner=OWNER,
)

ranking_v1 = FeatureService(
    name="ranking_v1",
    features=[
        item_activity[[one.name for one in item_activity.features if one.name not in INSTANTS]],
        item_profile[["price"]],
    ],
    description="What the ranker reads of an item: numbers; words and categories are in the catalogue.",
    tags={"version": "1", "consumer": "training and serving"},
    owner=OWNER,
)

shared_v1 = FeatureService(
    name="shared_v1",
    features=[user_activity, user_affinity, item_activity, item_profile, item_pairs],
    description="What other teams may read: activity, affinities and the catalogue, but no demographics.",
    tags={"version": "1", "consumer": "other teams"},
    owner=OWNER,
)
