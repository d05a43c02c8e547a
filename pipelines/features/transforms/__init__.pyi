from .calendar import day_of as day_of
from .calendar import start_of as start_of
from .config import FeatureConfig as FeatureConfig
from .inputs import EVENT_COLUMNS as EVENT_COLUMNS
from .inputs import ITEM_COLUMNS as ITEM_COLUMNS
from .inputs import USER_COLUMNS as USER_COLUMNS
from .inputs import FeatureInputs as FeatureInputs
from .inputs import known_shop as known_shop
from .inputs import part_of_users as part_of_users
from .interactions import item_pairs as item_pairs
from .interactions import user_affinity as user_affinity
from .interactions import user_category as user_category
from .profiles import item_profile as item_profile
from .profiles import user_profile as user_profile

__all__ = [
    "EVENT_COLUMNS",
    "ITEM_COLUMNS",
    "USER_COLUMNS",
    "FeatureConfig",
    "FeatureInputs",
    "day_of",
    "item_pairs",
    "item_profile",
    "known_shop",
    "part_of_users",
    "start_of",
    "user_affinity",
    "user_category",
    "user_profile",
]
