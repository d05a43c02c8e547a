"""Figures of one choice beside another's on the same requests of validation, and whether they differ."""

from typing import Any

import numpy as np
import numpy.typing as npt

Figures = npt.NDArray[np.floating[Any]]
"""[U] the figure of each request of validation; their mean counts."""


def paired_z_score(these: Figures, those: Figures) -> float:
    """How many standard errors of their mean difference the first are ahead; below 0 where they are behind.

    Args:
        these: [U] of one choice; higher is better.
        those: [U] of the other, of the same requests.
    """
    difference = these - those
    if len(difference) == 0:
        return 0.0
    mean, deviation = float(difference.mean()), float(difference.std())
    if deviation == 0:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return float(mean / deviation * len(difference) ** 0.5)
