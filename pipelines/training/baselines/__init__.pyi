from .benchmark import FIELDS as FIELDS
from .benchmark import BaselineConfig as BaselineConfig
from .benchmark import BaselineResults as BaselineResults
from .benchmark import field_lists as field_lists
from .complements import bought_together as bought_together
from .content import similar_items as similar_items
from .evaluate import ValidationSet as ValidationSet
from .evaluate import ranked_lists as ranked_lists
from .evaluate import score_batches as score_batches
from .fit_data import FitData as FitData
from .fit_data import type_weights as type_weights
from .interest_matrix import presence as presence
from .item_knn import nearest_items as nearest_items
from .neighbours import largest_of_rows as largest_of_rows
from .popularity import popularity_at as popularity_at
from .recommender import USER_BATCH_SIZE as USER_BATCH_SIZE
from .recommender import Recommender as Recommender
from .recommender import WithFallback as WithFallback
from .registry import MODELS as MODELS
from .registry import reason_against as reason_against
from .sequence_rules import followers as followers
from .trend import trend_at as trend_at
from .tune import PADDING as PADDING
from .tune import FittedBaseline as FittedBaseline
from .tune import fit_field as fit_field
from .tune import refit_field as refit_field

__all__ = [
    "FIELDS",
    "MODELS",
    "PADDING",
    "USER_BATCH_SIZE",
    "BaselineConfig",
    "BaselineResults",
    "FitData",
    "FittedBaseline",
    "Recommender",
    "ValidationSet",
    "WithFallback",
    "bought_together",
    "field_lists",
    "fit_field",
    "followers",
    "largest_of_rows",
    "nearest_items",
    "popularity_at",
    "presence",
    "ranked_lists",
    "reason_against",
    "refit_field",
    "score_batches",
    "similar_items",
    "trend_at",
    "type_weights",
]
