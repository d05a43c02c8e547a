"""Predicting ratings: biases, regression, neighbourhoods, SVD++ and their blend, cross-validated."""

from pipelines.training.ratings.cross_validation import BLEND, RATING_MODELS, Errors, cross_validate
from pipelines.training.ratings.ratings_table import Ratings

__all__ = ["BLEND", "RATING_MODELS", "Errors", "Ratings", "cross_validate"]
