from .filtering import Filters as Filters
from .purchase_history import CART as CART
from .purchase_history import DAY_S as DAY_S
from .purchase_history import HOUR_S as HOUR_S
from .purchase_history import PurchaseHistory as PurchaseHistory
from .ranking import UP_TO as UP_TO
from .ranking import Encoder as Encoder
from .ranking import Ranker as Ranker
from .ranking import encoder_inputs as encoder_inputs
from .ranking import ranker_inputs as ranker_inputs
from .recommender import Recommender as Recommender
from .request import RankedLists as RankedLists
from .request import RecommendationRequest as RecommendationRequest
from .request import Relation as Relation
from .request import Surface as Surface
from .user_batch import RecentEvent as RecentEvent
from .user_batch import UserBatch as UserBatch
from .user_batch import empty_user as empty_user
from .user_batch import user_batch_from_table as user_batch_from_table
from .user_batch import with_live_events as with_live_events

__all__ = [
    "CART",
    "DAY_S",
    "HOUR_S",
    "UP_TO",
    "Encoder",
    "Filters",
    "PurchaseHistory",
    "RankedLists",
    "Ranker",
    "RecentEvent",
    "RecommendationRequest",
    "Recommender",
    "Relation",
    "Surface",
    "UserBatch",
    "empty_user",
    "encoder_inputs",
    "ranker_inputs",
    "user_batch_from_table",
    "with_live_events",
]
