from .probe import Difference as Difference
from .probe import Probe as Probe

__all__ = [
    "Difference",
    "Probe",
]
