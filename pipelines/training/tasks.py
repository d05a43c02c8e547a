"""The steps of retraining, each to be run in a process of its own: text and numbers in, text and numbers out.

build_training_set → train_retrieval → train_ranking → (release: evaluate, write_item_state, seal)
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import TrainingError, WrongUsageError
from pipelines.runtime import read_instant
from pipelines.settings import Settings, load_settings
from pipelines.training.config import TrainingConfig
from pipelines.training.data import COUNTED, KEPT_WEIGHTS, TEST, TrainingSet
from pipelines.training.item_statistics import write_item_state, write_state_of

if TYPE_CHECKING:
    from pipelines.training.retrieval import Checkpoint

LOG = logging.getLogger(__name__)

__all__ = ["build_training_set", "train_ranking", "train_retrieval", "write_item_state"]


def build_training_set(
    as_of: datetime | str,
    workdir: Path | str,
    settings: Settings | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the training set of a release and begin its bundle in `workdir`; what was there is replaced.

    Args:
        as_of: Exclusive cutoff: nothing at or after it is looked at.
        workdir: The bundle under construction; the training set lies beside it, in `<workdir>.training`.
        settings: Where lake and feature store are; by default as the environment says.
        config: Fields of `TrainingConfig` that differ from the defaults.
    """
    from pipelines.training.build_training_set import build

    settings = settings or load_settings()
    chosen = TrainingConfig.of(config, budget=settings.training_budget)
    return _timed(lambda: build(settings, read_instant(as_of), Path(workdir).absolute(), chosen))


def train_retrieval(
    as_of: datetime | str, workdir: Path | str, start_from: Path | str | None = None
) -> dict[str, Any]:
    """Train the sequence model; write item vectors and the query encoder into the bundle.

    The weights are left beside the bundle, in the training set's folder, for a later training.

    Args:
        as_of: That of the training set, as a check.
        workdir: The bundle under construction.
        start_from: Weights of an earlier release to go on from, if they fit and may be used; else training
            is anew, and `warm_start` tells why.
    """
    from pipelines.training.retrieval import Checkpoint, fit_source_weights, recalls
    from pipelines.training.retrieval.export import export
    from pipelines.training.retrieval.train import train
    from serving.bundle import Bundle

    material = _material(as_of, workdir)

    def step() -> dict[str, Any]:
        start, reasons = _start(material, start_from)
        trained = train(material, start)
        bundle, config = Bundle.open(material.workdir), material.config.retrieval
        weights = material.directory / KEPT_WEIGHTS
        Checkpoint.of(trained.members, bundle, config, material.split).save(weights)
        parity = export(trained, material)
        shares = fit_source_weights(material)
        return {
            **recalls(material),
            **{f"{source}_weight": weight for source, weight in shares.items()},
            "weights": str(weights),
            "warm_start": {"used": start is not None, "reasons": reasons},
            "curve": trained.curve,
            "parameters": sum(int(np.prod(one.shape)) for one in trained.model.trainable_variables),
            "parity": parity.to_json(),
            "config": material.config.retrieval.model_dump(mode="json"),
        }

    return _timed(step)


def train_ranking(as_of: datetime | str, workdir: Path | str) -> dict[str, Any]:
    """Train the ranking model on what retrieval offers; write the ranker, and the test instant's item state.

    The intent model, which needs neither, is trained beside it where the shop's sessions allow.

    Args:
        as_of: That of the training set, as a check.
        workdir: The bundle under construction, with the query encoder and item vectors.
    """
    from pipelines.training.intent import fit_intent
    from pipelines.training.ranking.export import export
    from pipelines.training.ranking.train import train

    material = _material(as_of, workdir)

    def step() -> dict[str, Any]:
        _count(material, material.ranking_names[0])
        trained = train(material)
        parity = export(trained, material)
        _count(material, TEST)
        intent = fit_intent(material)
        return {
            **trained.metrics,
            "rows": trained.rows,
            "tasks": list(trained.network.tasks),
            "curve": trained.curve,
            "parameters": sum(int(np.prod(one.shape)) for one in trained.network.trainable_variables),
            "parity": parity.to_json(),
            "config": material.config.ranking.model_dump(mode="json"),
            "intent": intent,
            **{f"intent_{name}": intent[name] for name in ("auc", "calibration_error") if name in intent},
        }

    return _timed(step)


def _start(material: TrainingSet, path: Path | str | None) -> "tuple[Checkpoint | None, list[str]]":
    """The weights to go on from; None, with the reasons, where training is anew."""
    from pipelines.training.retrieval import Checkpoint, incompatibilities, leakage_reasons

    if path is None:
        return None, ["no weights were given to go on from"]
    try:
        kept = Checkpoint.open(Path(path))
    except TrainingError as error:
        return None, [str(error)]
    reasons = leakage_reasons(kept, material.split) or incompatibilities(kept, material)
    if reasons:
        LOG.warning("retrieval is trained anew: %s", "; ".join(reasons))
        return None, reasons
    LOG.info("retrieval goes on from the weights of the release as of %s", kept.facts.as_of)
    return kept, []


def _count(material: TrainingSet, name: str) -> None:
    """Bring what is counted to the instant of that name, unless the step before left it so."""
    counted = material.directory / COUNTED
    if counted.exists() and counted.read_text() == name:
        return
    counted.unlink(missing_ok=True)
    write_state_of(material, name)
    counted.write_text(name)


def _timed(step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.perf_counter()
    result = step()
    return {**result, "seconds": round(time.perf_counter() - started, 2)}


def _material(as_of: datetime | str, workdir: Path | str) -> TrainingSet:
    material = TrainingSet.open(Path(workdir).absolute())
    if material.split.as_of != read_instant(as_of):
        raise WrongUsageError(
            f"expected as_of {material.split.as_of.isoformat()}, for which the training set in {workdir} was "
            f"built, received {read_instant(as_of).isoformat()}"
        )
    return material
