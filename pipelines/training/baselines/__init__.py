"""The field that a release must beat: models from counts to matrix factorisation, behind one interface."""

from pipelines.training.baselines.choosing import FittedBaseline, fit_field, refit_field
from pipelines.training.baselines.field import FIELDS, FieldConfig, FieldLists, field_lists
from pipelines.training.baselines.models import MODELS, reason_against
from pipelines.training.baselines.recommender import Recommender

__all__ = [
    "FIELDS",
    "MODELS",
    "FieldConfig",
    "FieldLists",
    "FittedBaseline",
    "Recommender",
    "field_lists",
    "fit_field",
    "reason_against",
    "refit_field",
]
