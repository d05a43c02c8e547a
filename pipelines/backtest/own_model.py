"""Model `default` in a backtest: what the retraining would train and serve on such data."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.backtest.models import FittedModel
from pipelines.training.trial import Stage, Trial

DEFAULT = "default"

PROBED: Mapping[str, Any] = {
    "retrieval": {"dimensions": 16, "most_steps": 20, "least_steps": 20, "checks": 1, "batch_size": 4},
    "ranking": {"epochs": 1},
}
"""Choices for the leak prober: it asks what is looked at, not how well it is learned."""


def fit_own_model(trial: Trial, test: Stage, choices: Mapping[str, Any] | None = None) -> FittedModel:
    """Retrieval, sources and ranking, trained as for a release.

    Args:
        trial: What to learn from and to choose by.
        test: What was known at the test, and who asks.
        choices: Fields of `TrainingConfig` that differ from the defaults.
    """
    from pipelines.training.default import fit_default

    folder = Path(tempfile.mkdtemp(prefix="aisle-backtest-"))
    try:
        fitted = fit_default(trial, test, folder / "bundle", choices)
    except BaseException:
        shutil.rmtree(folder)
        raise
    # The bundle is read from its files for as long as it answers.
    weakref.finalize(fitted, shutil.rmtree, folder)
    return FittedModel(fitted.lists, fitted.chosen, fitted.seconds)
