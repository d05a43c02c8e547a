"""How far the ranking stage's probabilities can be trusted: order (AUC) and size (calibration)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Outcome:
    """One task's predicted probabilities beside what happened."""

    labels: NDArray[np.number] | NDArray[np.bool_]
    """1 or True where it happened, `[n]`."""

    probabilities: NDArray[np.floating]
    """Predicted probability, `[n]`, in [0, 1]."""

    users: NDArray[np.integer] | None = None
    """User row of each prediction `[n]`, for the AUC within users."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Predictions of about one size: what was promised and what came."""

    predicted: float
    """Mean predicted probability."""

    observed: float
    """Share that happened."""

    count: int
    """Number of predictions."""


@dataclass(frozen=True, slots=True)
class OutcomeScores:
    """Figures of one task; see the functions of the same names."""

    auc: float
    auc_within_users: float
    log_loss: float
    brier: float
    calibration_error: float
    base_rate: float
    """Share of predictions whose event happened."""
    count: int
    """Number of predictions."""
    curve: tuple[CalibrationBin, ...]
    """The calibration curve."""


def score_outcome(outcome: Outcome, bins: int = 10) -> OutcomeScores:
    """Every figure of one task.

    Raises:
        EvaluationError: Labels are not 0 or 1, probabilities not in [0, 1], or the lengths differ.
    """
    labels = np.asarray(outcome.labels, np.float64)
    predicted = np.asarray(outcome.probabilities, np.float64)
    _refuse_nonsense(labels, predicted)
    return OutcomeScores(
        auc=auc(labels, predicted),
        auc_within_users=float("nan")
        if outcome.users is None
        else auc_within_users(labels, predicted, outcome.users),
        log_loss=log_loss(labels, predicted),
        brier=float(np.mean((predicted - labels) ** 2)),
        calibration_error=calibration_error(labels, predicted, bins),
        base_rate=float(labels.mean()),
        count=len(labels),
        curve=calibration_curve(labels, predicted, bins),
    )


def auc(labels: NDArray[np.number], scores: NDArray[np.number]) -> float:
    """Chance that a positive scores above a negative, ties counting half; NaN without both kinds.

    Hanley and McNeil, "The meaning and use of the area under a ROC curve" (1982).
    """
    return auc_within_users(labels, scores, np.zeros(len(labels), np.int64))


def auc_within_users(
    labels: NDArray[np.number], scores: NDArray[np.number], users: NDArray[np.integer]
) -> float:
    """Mean AUC over the users `[n]` that have both positives and negatives; NaN where none has."""
    if not len(labels):
        return float("nan")
    order = np.lexsort((scores, users))
    user, score, positive = users[order], scores[order], np.asarray(labels)[order] > 0
    starts_user = np.concatenate(([True], user[1:] != user[:-1]))
    starts_tie = starts_user | np.concatenate(([True], score[1:] != score[:-1]))
    tie = np.cumsum(starts_tie) - 1
    tie_sizes = np.bincount(tie)
    tie_begins = np.flatnonzero(starts_tie)
    group = np.cumsum(starts_user) - 1
    # 1-based middle ranks inside the user.
    ranks = tie_begins[tie] + (tie_sizes[tie] + 1) / 2 - np.flatnonzero(starts_user)[group]
    positives = np.bincount(group, positive)
    negatives = np.bincount(group) - positives
    both = (positives > 0) & (negatives > 0)
    rank_sums = np.bincount(group, ranks * positive)
    wins = rank_sums[both] - positives[both] * (positives[both] + 1) / 2
    return float(np.mean(wins / (positives[both] * negatives[both]))) if both.any() else float("nan")


def log_loss(labels: NDArray[np.number], probabilities: NDArray[np.floating]) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    bounded = np.clip(np.asarray(probabilities, np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(np.asarray(labels) > 0, np.log(bounded), np.log1p(-bounded))))


def calibration_error(
    labels: NDArray[np.number], probabilities: NDArray[np.floating], bins: int = 10
) -> float:
    """Expected calibration error over bins of equal count: the mean |promised - observed|, weighted by count.

    Naeini, Cooper and Hauskrecht 2015; bins of equal count, because a shop's probabilities are
    nearly all small.
    """
    curve = calibration_curve(labels, probabilities, bins)
    return sum(bin.count * abs(bin.predicted - bin.observed) for bin in curve) / max(1, len(labels))


def calibration_curve(
    labels: NDArray[np.number], probabilities: NDArray[np.floating], bins: int = 10
) -> tuple[CalibrationBin, ...]:
    """Mean prediction and observed share in bins of equal count, ascending; equals stay together."""
    n = len(labels)
    if not n:
        return ()
    order = np.argsort(probabilities, kind="stable")
    predicted = np.asarray(probabilities, np.float64)[order]
    observed = np.asarray(labels, np.float64)[order]
    edges = predicted[(np.arange(1, bins) * n) // bins]
    which = np.searchsorted(edges, predicted, side="right")
    counts = np.bincount(which, minlength=bins)
    promised, came = np.bincount(which, predicted, bins), np.bincount(which, observed, bins)
    return tuple(
        CalibrationBin(float(promised[b] / counts[b]), float(came[b] / counts[b]), int(counts[b]))
        for b in np.flatnonzero(counts)
    )


def _refuse_nonsense(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
    if labels.shape != predicted.shape or labels.ndim != 1 or not len(labels):
        raise EvaluationError(
            "expected one label for each probability, at least one, received shapes "
            f"{labels.shape} and {predicted.shape}"
        )
    if not np.isin(labels, (0.0, 1.0)).all():
        raise EvaluationError("expected labels of 0 and 1; received others")
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise EvaluationError(
            "expected probabilities in [0, 1], received "
            f"{predicted.min()} to {predicted.max()}; logits need a sigmoid"
        )
