"""The linear part of the ranker, fitted exactly where there is too little to learn from for a network.

A shop of a hundred shoppers gives a hundred lists: enough for some dozen weights, and a network that starts
from them never gets far from the best linear ranking. With many lists it gets further from nothing.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from pipelines.training.ranking.dataset import RankingRows, telling
from pipelines.training.ranking.model import linear_inputs

FEW_LISTS = 500
"""With so many lists that hold a positive, or more, the network starts from nothing."""

PENALTY = 0.1
"""Weight of the squares of the standardised weights in the loss."""

MOST_STEPS = 100

Floats = npt.NDArray[np.float32]


def fit_linear(lists: list[RankingRows]) -> Floats | None:
    """[F] weights of `linear_inputs` with the least listwise loss (L-BFGS) of the first task's positives.

    Args:
        lists: Lists of each instant.

    Returns:
        None where there are no lists with positives, or enough for a network.
    """
    told = [np.flatnonzero(telling(part)) for part in lists]
    if not 0 < sum(len(some) for some in told) < FEW_LISTS:
        return None
    inputs, shares, listed, total = _problem(lists, told)
    mean, deviation = inputs[listed].mean(axis=0), inputs[listed].std(axis=0)
    # What never differs says nothing of one item against another.
    deviation = np.where(deviation > 1e-6, deviation, np.inf).astype(np.float32)
    inputs = np.where(listed[..., None], (inputs - mean) / deviation, np.float32(0))

    def loss_and_slope(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scores = np.where(listed, inputs @ weights.astype(np.float32), -np.inf)
        scores -= scores.max(axis=1, keepdims=True)
        sums = np.exp(scores).sum(axis=1, keepdims=True)
        likelihood = np.where(shares > 0, scores - np.log(sums), 0)
        expected = np.exp(scores) / sums * shares.sum(axis=1, keepdims=True)
        slope = np.tensordot((expected - shares).astype(np.float32), inputs, axes=2) / total
        loss = -(shares * likelihood).sum() / total + PENALTY * (weights @ weights)
        return float(loss), slope + 2 * PENALTY * weights

    start = np.zeros(inputs.shape[-1])
    found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    weights: Floats = (found.x / deviation).astype(np.float32)
    return weights


def _problem(
    lists: list[RankingRows], told: list[npt.NDArray[np.int64]]
) -> tuple[Floats, npt.NDArray[np.float64], npt.NDArray[np.bool_], float]:
    """Inputs `[L, C, F]`, shares of positives `[L, C]`, what is no padding `[L, C]`, weight of all lists."""
    parts = list(zip(lists, told, strict=True))
    inputs = [
        linear_inputs(
            part.signals[some].astype(np.float32),
            part.retrieval_scores[some],
            part.source_scores[some],
            part.source_strengths[some],
        ).numpy()
        for part, some in parts
    ]
    labels = np.concatenate([part.labels[some, :, 0] for part, some in parts])
    listed = np.concatenate([part.items[some] >= 0 for part, some in parts])
    positives = np.where(listed, np.nan_to_num(labels), 0).astype(np.float64)
    roots = np.sqrt(positives.sum(axis=1, keepdims=True))
    return np.concatenate(inputs), positives / roots, listed, float(roots.sum())
