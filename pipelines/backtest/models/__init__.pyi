from .aisle import AISLE as AISLE
from .aisle import PROBED as PROBED
from .aisle import fit_own_model as fit_own_model
from .baselines import FittedModel as FittedModel
from .baselines import digest_baselines as digest_baselines
from .baselines import fit_baselines as fit_baselines
from .baselines import reasons_against as reasons_against
from .cost_model import length_that_fits as length_that_fits
from .cost_model import over as over
from .cost_model import training_seconds as training_seconds
from .top_k import list_requests as list_requests

__all__ = [
    "AISLE",
    "PROBED",
    "FittedModel",
    "digest_baselines",
    "fit_baselines",
    "fit_own_model",
    "length_that_fits",
    "list_requests",
    "over",
    "reasons_against",
    "training_seconds",
]
