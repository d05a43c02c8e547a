"""What one model is worth: the figures that the gate compares and the report shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError
from pipelines.evaluation.calibration import OutcomeScores
from pipelines.evaluation.metrics import PerUser


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an exported graph departs from the trained one on the same inputs."""

    part: str
    """What was exported, such as `query_encoder` or `ranker`."""

    overlap: float
    """Share of the trained graph's top 10 that the exported graph keeps in its own, in [0, 1]."""

    largest_difference: float
    """Greatest absolute difference of a score."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one model over the users of one evaluation."""

    name: str
    """Name of the model, as the report shows it."""

    headline: str
    """The metric that decides, such as `ndcg@10`."""

    per_user: PerUser
    """Metric → value for each user `[n_users]`; NaN where there is nothing to measure."""

    totals: Mapping[str, float] = field(default_factory=dict)
    """Figures of all lists together: `coverage@k`, `reachable_coverage@k`, `gini@k`."""

    slices: PerUser = field(default_factory=dict)
    """Slice, such as `user:new` or `item:tail` → the headline metric for each user, NaN outside of it."""

    outcomes: Mapping[str, OutcomeScores] = field(default_factory=dict)
    """Task of the ranking stage, such as `purchase` → how far its probabilities can be trusted."""

    parity: tuple[Parity, ...] = ()
    """How far the exported graphs depart from the trained ones; empty where that was not measured."""

    recall_curve: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Mean recall at every k from 1, `[list_length]`."""

    popularity_shares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Share of the list places that fall into each popularity bin of the evaluation."""

    @property
    def headline_values(self) -> NDArray[np.float64]:
        """The headline metric for each user `[n_users]`."""
        if self.headline not in self.per_user:
            raise EvaluationError(
                f"expected {self.headline} among the metrics of {self.name}, received "
                f"{', '.join(self.per_user)}; evaluate lists of at least that length"
            )
        return self.per_user[self.headline]

    @property
    def headline_mean(self) -> float:
        """The headline metric's mean over the users that have truth; NaN where there are none."""
        values = self.headline_values
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    @property
    def calibration_error(self) -> float | None:
        """The worst calibration error of the ranking stage's tasks; None where none was measured."""
        errors = [outcome.calibration_error for outcome in self.outcomes.values()]
        return max(errors) if errors else None
