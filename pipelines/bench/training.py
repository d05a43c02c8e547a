"""Training steps: ours, as the retraining makes them, and those of the TFRS tutorial, on the same events.

An example is one event of a user with what the user did next (ours), or a user with an item (the tutorial's).
Ours is measured twice: the sequence model that the retraining trains, and two plain towers, which are the
same model without its blocks and as wide as the tutorial's.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.process import run_in_own_process

if TYPE_CHECKING:
    from pipelines.training.retrieval.batches import Batches
    from pipelines.training.retrieval.model import SequenceRetrieval
    from pipelines.training.trial_material import TrialMaterial

LIMIT_S = 1_800.0
"""Seconds after which a side is killed."""

TUTORIAL_SIZES = (512, 1_024, 2_048, 4_096, 8_192)
"""Batch sizes that the tutorial is tried with; its own is 8,192."""

TUTORIAL_EXAMPLES = 100_000
"""Most examples of one pass of the tutorial, which has 80,000."""

TWO_TOWERS: Mapping[str, Any] = {"blocks": 0, "dimensions": 32}
TWO_TOWER_ROWS = (16, 64, 128)
"""Rows of 64 events that the two towers are tried with."""

SIDES = ("sequence", "two_towers", "tutorial")
RATE = "examples_per_second"


def measure(folder: Path, runs: int, steps: int) -> dict[str, Any]:
    """Medians of alternating runs, each side in a process of its own.

    Args:
        folder: `events.parquet` and, if the shop has it, `items.parquet`, as a backtest reads them.
        runs: Runs of each side.
        steps: Steps of ours that a run times, after as many others.

    Returns:
        Examples per second of the two towers (`ours_…`), of the tutorial at its best batch size, and of the
        sequence model (`sequence_…`); per second of processor time, too, which load changes less; ratios; and
        `sequence_step_ms`: where a step's processor time goes.
    """
    told: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as workdir:
        given = {"folder": str(folder.absolute()), "workdir": workdir}
        run_in_own_process(f"{__name__}:prepare", given, limit_s=LIMIT_S)
        for _ in range(runs):
            for side in SIDES:
                arguments = given if side == "tutorial" else {**given, "steps": steps}
                told[side].append(
                    run_in_own_process(f"{__name__}:measure_{side}", arguments, limit_s=LIMIT_S)
                )
    ours, sequence, tutorial = (_median(told[side], RATE) for side in ("two_towers", "sequence", "tutorial"))
    per_cpu = {side: _median(told[side], "examples_per_cpu_second") for side in SIDES}
    return {
        "ours_examples_per_second": round(ours),
        "tfrs_tutorial_examples_per_second": round(tutorial),
        "ratio": round(ours / tutorial, 2),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ours_examples_per_cpu_second": round(per_cpu["two_towers"]),
        "tfrs_tutorial_examples_per_cpu_second": round(per_cpu["tutorial"]),
        "ours_batch_size": told["two_towers"][-1]["batch_size"],
        "tfrs_tutorial_batch_size": told["tutorial"][-1]["batch_size"],
        "sequence_examples_per_second": round(sequence),
        "sequence_examples_per_cpu_second": round(per_cpu["sequence"]),
        "sequence_ratio": round(sequence / tutorial, 2),
        "sequence_step_ms": {
            part: round(statistics.median(one["step_ms"][part] for one in told["sequence"]), 1)
            for part in told["sequence"][0]["step_ms"]
        },
        "events": told["tutorial"][0]["events"],
        "items": told["tutorial"][0]["items"],
        "runs": runs,
    }


def prepare(folder: str, workdir: str) -> dict[str, Any]:
    """Write what the models are trained beside: the catalogue, its codes and what is counted."""
    _material(folder, workdir).begin()
    return {}


def measure_sequence(folder: str, workdir: str, steps: int) -> dict[str, Any]:
    """Speed of the sequence model's steps with the retraining's own settings, and what they spend time on."""
    from pipelines.bench.step_parts import step_parts

    told, (model, batches) = _ours(_material(folder, workdir), steps, {})
    return {**told, "step_ms": step_parts(model, batches)}


def measure_two_towers(folder: str, workdir: str, steps: int) -> dict[str, Any]:
    """Speed of the same steps without blocks, at the best batch size."""
    material = _material(folder, workdir)
    return best([_ours(material, steps, {**TWO_TOWERS, "batch_size": rows})[0] for rows in TWO_TOWER_ROWS])


def measure_tutorial(folder: str, workdir: str) -> dict[str, Any]:
    """Speed of the tutorial at its best batch size, on a sample of the same events."""
    import numpy as np

    from pipelines.bench.tutorial import examples_per_second

    material = _material(folder, workdir)
    events = material.learning
    chosen = np.random.default_rng(0).permutation(len(events))[:TUTORIAL_EXAMPLES]
    user_ids = events.users[chosen].astype(str)
    item_ids = np.asarray(material.trial.catalogue["item_id"].to_pylist(), str)[events.items[chosen]]
    tried = [examples_per_second(user_ids, item_ids, size) for size in TUTORIAL_SIZES]
    return {**best(tried), "events": len(events), "items": material.n_items}


def best(tried: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was told of the batch size with the most examples per second."""
    return dict(max(tried, key=lambda one: float(one[RATE])))


def _ours(
    material: "TrialMaterial", steps: int, choices: Mapping[str, Any]
) -> tuple[dict[str, Any], "tuple[SequenceRetrieval, Batches]"]:
    """Speed of the second half of a training of twice the steps, and that training."""
    from pipelines.training.config import TrainingConfig
    from pipelines.training.retrieval.sequences import Tape
    from pipelines.training.retrieval.train import begin
    from serving.bundle import Bundle

    length = {"least_steps": 2 * steps, "most_steps": 2 * steps, "checks": 2}
    config = TrainingConfig.of({"retrieval": {**choices, **length}})
    material = replace(material, config=config)
    model, batches = begin(material, Bundle.open(material.workdir), Tape.of(material.learning), config.seed)
    model.fit(batches.dataset(0), verbose=0)
    parts = batches.dataset(1)
    started, started_cpu = time.perf_counter(), time.process_time()
    model.fit(parts, verbose=0)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    examples = config.retrieval.batch_size * config.retrieval.history_length
    told = {
        "batch_size": examples,
        RATE: steps * examples / seconds,
        "examples_per_cpu_second": steps * examples / cpu_seconds,
    }
    return told, (model, batches)


def _material(folder: str, workdir: str) -> "TrialMaterial":
    """The events of a folder as the models' material, the last event of each user left out."""
    from pipelines.backtest import leave_one_out
    from pipelines.backtest.dataset import read_dataset
    from pipelines.training.config import TrainingConfig
    from pipelines.training.trial_material import TrialMaterial

    dataset = read_dataset(Path(folder))
    trial = leave_one_out.prepare(dataset, leave_one_out.cut(dataset)).trial
    return TrialMaterial(trial, Path(workdir) / "bundle", TrainingConfig())


def _median(told: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(one[name] for one in told))
