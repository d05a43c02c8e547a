from .blend import Blend as Blend
from .cross_validation import BLEND as BLEND
from .cross_validation import BLEND_SHARE as BLEND_SHARE
from .cross_validation import RATING_MODELS as RATING_MODELS
from .cross_validation import Errors as Errors
from .cross_validation import cross_validate as cross_validate
from .ratings_table import Ratings as Ratings

__all__ = [
    "BLEND",
    "BLEND_SHARE",
    "RATING_MODELS",
    "Blend",
    "Errors",
    "Ratings",
    "cross_validate",
]
