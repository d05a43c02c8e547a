"""Model `aisle` in a backtest: what the retraining would train and serve on such data."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.backtest.models.baselines import FittedModel
from pipelines.backtest.models.cost_model import FULL, length_that_fits
from pipelines.training.data import EvaluationPoint, ModelSplit

if TYPE_CHECKING:
    from pipelines.training.fit import Watch

AISLE = "aisle"

PROBED: Mapping[str, Any] = {
    "retrieval": {
        "ensemble_mixers": ("attention",),
        "embedding_dim": 16,
        "max_steps": 20,
        "min_steps": 20,
        "num_validations": 1,
        "batch_size": 4,
    },
    "ranking": {"epochs": 1, "min_steps": 1},
}
"""Choices for the leak prober: it asks what is looked at, not how well it is learned."""


def fit_own_model(
    trial: ModelSplit,
    test: EvaluationPoint,
    choices: Mapping[str, Any] | None = None,
    budget_s: float = 0,
    watch: "Watch | None" = None,
) -> FittedModel:
    """Retrieval, sources and ranking, trained as for a release.

    Args:
        trial: What to learn from and to choose by.
        test: What was known at the test, and who asks.
        choices: Fields of `TrainingConfig` that differ from the defaults.
        budget_s: Seconds into which the training is to fit; with 0 it takes as long as it needs. The length
            follows from the data alone, see `length_that_fits`, and `chosen` says which it is.
        watch: Told of every look at validation, see `report_validation_to`.
    """
    from pipelines.training import fit_default
    from pipelines.training.fit import report_validation_to

    told: dict[str, Any] = {"training_budget": FULL}
    if budget_s > 0:
        length = length_that_fits(trial, choices, budget_s)
        choices = length.choices
        told = {
            "training_budget": length.name,
            "expected_seconds": round(length.seconds),
            "allowed_seconds": round(budget_s),
        }
    folder = Path(tempfile.mkdtemp(prefix="aisle-backtest-"))
    try:
        with report_validation_to(watch) if watch else nullcontext():
            fitted = fit_default(trial, test, folder / "bundle", choices)
    except BaseException:
        shutil.rmtree(folder)
        raise
    # The bundle is read from its files for as long as it answers.
    weakref.finalize(fitted, shutil.rmtree, folder)
    return FittedModel(fitted.lists, {**told, **fitted.chosen}, fitted.seconds)
