"""Training steps: ours, as the retraining makes them, and those of the TFRS tutorials, on the same events.

An example is one event of a user with what the user did next, or a user with an item in the tutorial *Basic
retrieval*. Ours is measured twice: the sequence model that the retraining trains, beside the tutorial on
sequential retrieval (as published, and as wide and long as ours), and two plain towers, which are the same
model without its blocks and as wide as the basic tutorial's, beside that.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.runtime import Console, Limits, run_isolated

if TYPE_CHECKING:
    from pipelines.training import EventTrainingSet
    from pipelines.training.retrieval import Batches, SequenceRetrieval

LIMIT_S = 1_800.0
"""Seconds after which a side is killed."""

TUTORIAL_SIZES = (512, 1_024, 2_048, 4_096, 8_192)
"""Batch sizes that the tutorial is tried with; its own is 8,192."""

TUTORIAL_EXAMPLES = 100_000
"""Most examples of one pass of the tutorial, which has 80,000."""

TWO_TOWERS: Mapping[str, Any] = {"num_layers": 0, "embedding_dim": 32, "num_negatives": 512, "neighbours": 0}
"""As wide as the tutorial's, with as many negatives as it has in the batch at which it is fastest."""

TWO_TOWER_ROWS = (64, 128, 256, 512, 1_024)
"""Rows of 64 events that the two towers are tried with."""

SEQUENTIAL_SIZES = (512, 2_048, 8_192)
"""Batch sizes that the sequential tutorial is tried with; its own is 12,800."""

SEQUENTIAL_EXAMPLES = 30_000
"""Most examples of one of its passes."""

PUBLISHED_SEQUENCE = {"dimensions": 32, "length": 10}
"""Width and context of the sequential tutorial as it is published."""

SIDES = ("sequence", "two_towers", "tutorial", "sequential", "wide_sequential")
OURS = ("sequence", "two_towers")
RATE = "examples_per_second"
PER_CPU = "examples_per_cpu_second"


def measure(folder: Path, runs: int, steps: int, console: Console) -> dict[str, Any]:
    """Medians of alternating runs, each side in a process of its own.

    Args:
        folder: `events.parquet` and, if the shop has it, `items.parquet`, as a backtest reads them.
        runs: Runs of each side.
        steps: Steps of ours that a run times, after as many others.
        console: Where a person sees how far it is.

    Returns:
        Examples per second of the two towers (`ours_…`), of the tutorial at its best batch size, of the
        sequence model (`sequence_…`), and of the sequential tutorial at its best batch size, as wide and long
        as ours (`sequence_tutorial_…`) and as published (`sequence_tutorial_published_…`); per second of
        processor time, too, which load changes less; ratios; and `sequence_step_ms`: where a step's processor
        time goes.
    """
    measures: dict[str, Callable[..., dict[str, Any]]] = {
        "sequence": measure_sequence,
        "two_towers": measure_two_towers,
        "tutorial": measure_tutorial,
        "sequential": measure_sequential,
        "wide_sequential": measure_wide_sequential,
    }
    told: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as workdir:
        given = {"folder": str(folder.absolute()), "workdir": workdir}
        with console.step(f"catalogue of {folder.name}"):
            run_isolated(prepare, Limits(LIMIT_S), **given)
        for run in range(1, runs + 1):
            for side in SIDES:
                arguments = {**given, "steps": steps} if side in OURS else given
                with console.step(f"{side}, run {run} of {runs}"):
                    told[side].append(run_isolated(measures[side], Limits(LIMIT_S), **arguments))
    speed = {side: _median(told[side], RATE) for side in SIDES}
    per_cpu = {side: _median(told[side], PER_CPU) for side in SIDES}
    return {
        "ours_examples_per_second": round(speed["two_towers"]),
        "tfrs_tutorial_examples_per_second": round(speed["tutorial"]),
        "ratio": round(speed["two_towers"] / speed["tutorial"], 2),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ours_examples_per_cpu_second": round(per_cpu["two_towers"]),
        "tfrs_tutorial_examples_per_cpu_second": round(per_cpu["tutorial"]),
        "ours_batch_size": told["two_towers"][-1]["batch_size"],
        "tfrs_tutorial_batch_size": told["tutorial"][-1]["batch_size"],
        "sequence_examples_per_second": round(speed["sequence"]),
        "sequence_examples_per_cpu_second": round(per_cpu["sequence"]),
        "sequence_tutorial_examples_per_second": round(speed["wide_sequential"]),
        "sequence_tutorial_examples_per_cpu_second": round(per_cpu["wide_sequential"]),
        "sequence_tutorial_batch_size": told["wide_sequential"][-1]["batch_size"],
        "sequence_ratio": round(speed["sequence"] / speed["wide_sequential"], 2),
        "sequence_tutorial_published_examples_per_second": round(speed["sequential"]),
        "sequence_tutorial_published_examples_per_cpu_second": round(per_cpu["sequential"]),
        "sequence_ratio_published": round(speed["sequence"] / speed["sequential"], 2),
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


def measure_sequential(folder: str, workdir: str) -> dict[str, Any]:
    """Speed of the sequential tutorial as it is published, at its best batch size."""
    return _sequential(folder, workdir, **PUBLISHED_SEQUENCE)


def measure_wide_sequential(folder: str, workdir: str) -> dict[str, Any]:
    """Speed of the sequential tutorial as wide and as long as our model, at its best batch size."""
    from pipelines.training import RetrievalConfig

    ours = RetrievalConfig()
    return _sequential(folder, workdir, dimensions=ours.embedding_dim, length=ours.history_length)


def _sequential(folder: str, workdir: str, *, dimensions: int, length: int) -> dict[str, Any]:
    import numpy as np

    from pipelines.bench.sequential_tutorial import PADDING, contexts, examples_per_second

    material = _material(folder, workdir)
    events = material.learning
    followed = np.flatnonzero(events.users[1:] == events.users[:-1])
    chosen = np.sort(np.random.default_rng(0).permutation(followed)[:SEQUENTIAL_EXAMPLES])
    names = np.append(np.asarray(material.trial.catalogue["item_id"].to_pylist(), str), PADDING)
    rows = contexts(events.users, length)[chosen]
    items = np.append(events.items, len(names) - 1)
    tried = [
        examples_per_second(names[items[rows]], names[items[chosen + 1]], dimensions, size)
        for size in SEQUENTIAL_SIZES
    ]
    return best(tried)


def best(tried: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was told of the batch size with the most examples per second."""
    return dict(max(tried, key=lambda one: float(one[RATE])))


def _ours(
    material: "EventTrainingSet", steps: int, choices: Mapping[str, Any]
) -> tuple[dict[str, Any], "tuple[SequenceRetrieval, Batches]"]:
    """Speed of the second half of a training of twice the steps, and that training."""
    from pipelines.training import TrainingConfig
    from pipelines.training.retrieval import PackedSequences, begin
    from serving.bundle import Bundle

    length = {"min_steps": 2 * steps, "max_steps": 2 * steps, "num_validations": 2}
    config = TrainingConfig.of({"retrieval": {**choices, **length}})
    material = replace(material, config=config)
    model, batches = begin(
        material, Bundle.open(material.workdir), PackedSequences.of(material.learning), place=0
    )
    model.fit(batches.dataset(0), verbose=0)
    parts = batches.dataset(1)
    started, started_cpu = time.perf_counter(), time.process_time()
    model.fit(parts, verbose=0)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    examples = config.retrieval.batch_size * config.retrieval.history_length
    told = {
        "batch_size": examples,
        RATE: steps * examples / seconds,
        PER_CPU: steps * examples / cpu_seconds,
    }
    return told, (model, batches)


def _material(folder: str, workdir: str) -> "EventTrainingSet":
    """The events of a folder as the models' material, the last event of each user left out."""
    from pipelines.backtest.data import read_dataset
    from pipelines.backtest.protocols import leave_one_out
    from pipelines.training import EventTrainingSet, TrainingConfig

    dataset = read_dataset(Path(folder))
    trial = leave_one_out.prepare(dataset, leave_one_out.cut(dataset)).trial
    return EventTrainingSet(trial, Path(workdir) / "bundle", TrainingConfig())


def _median(told: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(one[name] for one in told))
