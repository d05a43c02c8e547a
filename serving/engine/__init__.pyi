from .filtering import Filters as Filters
from .ranking import UP_TO as UP_TO
from .ranking import Encoder as Encoder
from .ranking import Ranker as Ranker
from .ranking import encoder_inputs as encoder_inputs
from .ranking import ranker_inputs as ranker_inputs
from .recommender import Recommender as Recommender
from .recommender import recommendation as recommendation
from .request import Recommendation as Recommendation
from .request import RecommendationRequest as RecommendationRequest
from .reranking import CART as CART
from .reranking import DAY_S as DAY_S
from .reranking import HOUR_S as HOUR_S
from .reranking import PurchaseHistory as PurchaseHistory
from .reranking import purchase_history as purchase_history
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
    "Ranker",
    "RecentEvent",
    "Recommendation",
    "RecommendationRequest",
    "Recommender",
    "UserBatch",
    "empty_user",
    "encoder_inputs",
    "purchase_history",
    "ranker_inputs",
    "recommendation",
    "user_batch_from_table",
    "with_live_events",
]
