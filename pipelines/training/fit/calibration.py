"""Calibration: logits to probabilities that mean what they say (Platt, 1999), fitted on validation."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

LEAST_SCALE, MOST_SCALE = 0.05, 20.0
"""A scale below turns the order around or forgets it, one above tells noise: the fit ends at these."""


def fit_platt(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Scale and offset of the logits for which the log loss of `sigmoid(scale * logit + offset)` is least.

    The smoothed targets of Platt keep the fit finite where one class is missing.

    Args:
        logits: [n].
        labels: [n] 0 or 1.
    """
    if len(logits) == 0:
        return 1.0, 0.0
    positives = float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    middle = float(logits.mean(dtype=np.float64))
    x = logits.astype(np.float64) - middle

    def loss_and_slope(fitted: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        z = fitted[0] * x + fitted[1]
        error = expit(z) - targets
        return float(np.mean(np.logaddexp(0, z) - targets * z)), np.array([np.mean(error * x), error.mean()])

    share = targets.mean()
    found = minimize(
        loss_and_slope,
        np.array([1.0, np.log(share / (1 - share))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(LEAST_SCALE, MOST_SCALE), (None, None)],
        options={"ftol": 1e-12, "gtol": 1e-9},
    )
    scale, offset = (float(value) for value in found.x)
    return scale, offset - scale * middle
