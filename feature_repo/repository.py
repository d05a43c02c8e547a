"""Everything that is declared, in one module: the only one that Feast's own commands import.

Feast would import each file by its bare name beside `feature_repo.<name>`, and find all of it declared twice.
"""

from feature_repo.entities import item, user, user_category
from feature_repo.interaction_views import user_category_activity
from feature_repo.item_views import item_activity, item_pairs, item_profile
from feature_repo.permissions import (
    pipelines_do_everything,
    teams_read_shared_v1,
    teams_read_shared_views,
)
from feature_repo.project import aisle
from feature_repo.services import ranking_v1, retrieval_v1, shared_v1
from feature_repo.sources import (
    item_activity_source,
    item_pairs_source,
    item_profile_source,
    user_activity_source,
    user_affinity_source,
    user_category_source,
    user_history_source,
    user_profile_source,
)
from feature_repo.user_views import user_activity, user_affinity, user_history, user_profile

__all__ = [
    "aisle",
    "item",
    "item_activity",
    "item_activity_source",
    "item_pairs",
    "item_pairs_source",
    "item_profile",
    "item_profile_source",
    "pipelines_do_everything",
    "ranking_v1",
    "retrieval_v1",
    "shared_v1",
    "teams_read_shared_v1",
    "teams_read_shared_views",
    "user",
    "user_activity",
    "user_activity_source",
    "user_affinity",
    "user_affinity_source",
    "user_category",
    "user_category_activity",
    "user_category_source",
    "user_history",
    "user_history_source",
    "user_profile",
    "user_profile_source",
]
