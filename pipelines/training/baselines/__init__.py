"""The field that a release must beat: models from counts to matrix factorisation, behind one interface."""

from pipelines.training.baselines.benchmark import FIELDS, BaselineConfig, BaselineResults, field_lists
from pipelines.training.baselines.recommender import Recommender
from pipelines.training.baselines.registry import MODELS, reason_against
from pipelines.training.baselines.tune import FittedBaseline, fit_field, refit_field

__all__ = [
    "FIELDS",
    "MODELS",
    "BaselineConfig",
    "BaselineResults",
    "FittedBaseline",
    "Recommender",
    "field_lists",
    "fit_field",
    "reason_against",
    "refit_field",
]
