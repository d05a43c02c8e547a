"""Calibration: logits to probabilities that mean what they say (Platt, 1999), fitted on validation."""

import numpy as np
import numpy.typing as npt

from pipelines.training.ranking.model import sigmoid

STEPS = 50
LEAST_SCALE, MOST_SCALE = 0.05, 5.0


def fit_platt(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Scale and offset of the logits for which the log loss of `sigmoid(scale * logit + offset)` is least.

    The smoothed targets of Platt keep the fit finite where one class is missing.

    Args:
        logits: [n].
        labels: [n] 0 or 1.
    """
    if len(logits) == 0:
        return 1.0, 0.0
    x, positives = logits.astype(np.float64), float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale, offset = 1.0, 0.0
    for _ in range(STEPS):
        p = sigmoid((scale * x + offset).astype(np.float32)).astype(np.float64)
        error, weight = p - targets, np.maximum(p * (1 - p), 1e-9)
        gradient = np.array([(error * x).sum(), error.sum()])
        hessian = np.array([[(weight * x * x).sum(), (weight * x).sum()], [(weight * x).sum(), weight.sum()]])
        step = np.linalg.solve(hessian + 1e-6 * np.eye(2), gradient)
        step *= min(1.0, 2.0 / (np.abs(step).max() + 1e-12))
        scale, offset = scale - step[0], offset - step[1]
        if np.abs(step).max() < 1e-8:
            break
    # A scale that turns the order around, or that one class alone drew to infinity, is no calibration.
    return (scale, offset) if LEAST_SCALE < scale < MOST_SCALE else (1.0, 0.0)
