from .calibration import fit_platt as fit_platt
from .early_stopping import AveragingAdam as AveragingAdam
from .early_stopping import Watch as Watch
from .early_stopping import fit_with_early_stopping as fit_with_early_stopping
from .early_stopping import report_validation_to as report_validation_to
from .layers import Profile as Profile
from .layers import Standardize as Standardize
from .litert_export import Parity as Parity
from .litert_export import convert as convert
from .paired_test import Figures as Figures
from .paired_test import paired_z_score as paired_z_score
from .prefetch import prefetched as prefetched

__all__ = [
    "AveragingAdam",
    "Figures",
    "Parity",
    "Profile",
    "Standardize",
    "Watch",
    "convert",
    "fit_platt",
    "fit_with_early_stopping",
    "paired_z_score",
    "prefetched",
    "report_validation_to",
]
