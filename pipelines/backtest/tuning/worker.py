"""One trial of the search for settings of `aisle`, in a process of its own, as TensorFlow wants it."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import read_dataset
from pipelines.backtest.protocols import find_cut, prepare
from pipelines.training import TrainingConfig
from pipelines.training.data import ModelSplit

STARTUP_TRIALS = 4
"""Trials that are never given up."""

RANKING_FROM = 1_000
"""Step of the first look at the ranker; retrieval's looks are the steps before."""


def open_study(journal: Path, seed: int, *, begin: bool = False) -> optuna.Study:
    """The study that the search and the processes of its trials share.

    Args:
        journal: File that holds it.
        seed: Of the draws of settings.
        begin: Whether to make it.
    """
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="default",
        storage=storage,
        load_if_exists=not begin,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
    )


def train_own(
    folder: str, config: Mapping[str, Any], choices: Mapping[str, Any], journal: str, number: int
) -> dict[str, Any]:
    """Train retrieval and ranking with these settings, unless the study gives them up on the way.

    Args:
        folder: Holds the files of the data set.
        config: The `BacktestConfig` of the search.
        choices: Fields of `TrainingConfig` that differ from the defaults.
        journal: File of the study.
        number: The trial's id in the study.

    Returns:
        `worth`: NDCG@10 of the ranked lists on the validation requests, null where it came to none;
        `pruned`; and `seconds`.
    """
    started_s = time.perf_counter()
    asked_for = BacktestConfig.model_validate(dict(config))
    dataset = read_dataset(Path(folder), with_test=asked_for.protocol == "explicit")
    trial = prepare(dataset, find_cut(dataset, asked_for), asked_for).trial
    asked = optuna.trial.Trial(open_study(Path(journal), trial.seed), number)
    worth, pruned = judge(trial, choices, PruningCallback(asked))
    return {"worth": worth, "pruned": pruned, "seconds": round(time.perf_counter() - started_s, 2)}


class PruningCallback:
    """Tells a study of each look at validation, and ends the training that it gives up."""

    def __init__(self, asked: optuna.Trial) -> None:
        self._asked, self._looks = asked, dict[str, int]()

    def __call__(self, figure: str, epoch: int, value: float) -> None:
        """Report one look; raises `TrialPruned` where the study has seen enough."""
        look = self._looks.get(figure, 0)
        self._looks[figure] = look + 1
        stage = list(self._looks).index(figure)
        # A share lies in [0, 1]: so all of a later stage's values are above those of the one before, as the
        # pruner asks, which holds the best value so far against the others' at the same step.
        self._asked.report(stage + value, stage * RANKING_FROM + look)
        if self._asked.should_prune():
            raise optuna.TrialPruned


def judge(trial: ModelSplit, choices: Mapping[str, Any], looks: PruningCallback) -> tuple[float | None, bool]:
    """NDCG@10 on the trial's validation requests, None where it came to none, and whether it was given up.

    The test is no part of a trial, so nothing here can look at it.
    """
    from pipelines.training import EventTrainingSet
    from pipelines.training.fit import report_validation_to
    from pipelines.training.ranking.train import train as train_ranking
    from pipelines.training.retrieval import fit_source_weights
    from pipelines.training.retrieval.export import export
    from pipelines.training.retrieval.train import train as train_retrieval

    config = TrainingConfig.of(choices).model_copy(update={"seed": trial.seed})
    with tempfile.TemporaryDirectory(prefix="aisle-tune-") as workdir:
        material = EventTrainingSet(trial, Path(workdir) / "bundle", config)
        try:
            with report_validation_to(looks):
                material.begin()
                export(train_retrieval(material), material)
                fit_source_weights(material)
                return float(train_ranking(material).metrics["ndcg_at_10"]), False
        except optuna.TrialPruned:
            return None, True
