"""The leak prober: change all that lies after the cutoff, and ask that nothing before it is another bit."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.backtest.data import Dataset
from pipelines.backtest.leak_probe.perturb import PERTURBATIONS
from pipelines.backtest.protocols import BacktestSplit, Cutoff
from pipelines.errors import BacktestError

Answer = Callable[[BacktestSplit], Mapping[str, Any]]
"""Fits models anew and gives their scores and lists by name, as arrays or as digests of such."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a change after the cutoff has changed."""

    perturbation: str
    """What was done: a key of `PERTURBATIONS`."""
    where: str
    """What differs, such as `trial.learning.items` or `item_knn.scores`."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe looked at, and what it found."""

    compared: int
    """Arrays, tables and facts compared after each perturbation."""
    differences: tuple[Difference, ...]

    @property
    def leaks(self) -> tuple[Difference, ...]:
        """Differences in what stays equal when nothing is perturbed."""
        unstable = {found.where for found in self.differences if found.perturbation == "unchanged"}
        return tuple(found for found in self.differences if found.where not in unstable)

    @property
    def unrepeatable(self) -> tuple[str, ...]:
        """What differed although nothing was perturbed, so that no leak can be told there."""
        return tuple(found.where for found in self.differences if found.perturbation == "unchanged")


def probe(
    dataset: Dataset,
    cut: Cutoff,
    prepare: Callable[[Dataset, Cutoff], BacktestSplit],
    answer: Answer,
    seed: int = 0,
) -> Probe:
    """Perturb, shuffle and delete what lies after the cutoff, and compare all that is made before it.

    Args:
        dataset: As read.
        cut: Where the cutoff lies; it stays there.
        prepare: What makes the trial and the test's requests.
        answer: What fits models on them and answers the requests.
        seed: Of the perturbations.

    Raises:
        BacktestError: A perturbation changed no answer, so that it could not have shown a leak.
    """
    prepared = prepare(dataset, cut)
    reference = _told(prepared, answer)
    differences = []
    for name, perturb in PERTURBATIONS.items():
        changed = prepare(*perturb(dataset, cut, np.random.default_rng(seed)))
        if name != "unchanged" and not any(unequal(prepared.answers, changed.answers, "answers")):
            raise BacktestError(
                f"{dataset.name}: expected that {name} events after the cutoff give other answers, received "
                "the same ones: the probe would see no leak; probe a data set with more events"
            )
        differences += [Difference(name, where) for where in unequal(reference, _told(changed, answer), "")]
    return Probe(_count(reference), tuple(differences))


def _told(prepared: BacktestSplit, answer: Answer) -> dict[str, Any]:
    return {"trial": prepared.trial, "test": prepared.test, **answer(prepared)}


def unequal(one: Any, other: Any, name: str) -> Iterator[str]:
    """Names of the parts that differ, to the last bit; `name` is that of the whole."""
    if type(one) is not type(other):
        yield name
    elif is_dataclass(one) and not isinstance(one, type):
        for entry in fields(one):
            yield from unequal(getattr(one, entry.name), getattr(other, entry.name), _of(name, entry.name))
    elif isinstance(one, Mapping):
        if list(one) != list(other):
            yield name or "names of parts"
            return
        for key in one:
            yield from unequal(one[key], other[key], _of(name, key))
    elif isinstance(one, tuple | list):
        if len(one) != len(other):
            yield name
            return
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from unequal(left, right, f"{name}[{number}]")
    elif not _same(one, other):
        yield name


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        alike = one.dtype == other.dtype and one.shape == other.shape
        return bool(alike and one.tobytes() == other.tobytes())
    if isinstance(one, pa.Table | pa.Array):
        return bool(one.equals(other))
    return bool(one == other)


def _of(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _count(value: Any) -> int:
    """Arrays, tables and facts in a value."""
    if is_dataclass(value) and not isinstance(value, type):
        return sum(_count(getattr(value, entry.name)) for entry in fields(value))
    if isinstance(value, Mapping):
        return sum(_count(inner) for inner in value.values())
    if isinstance(value, tuple | list) and not all(isinstance(inner, str) for inner in value):
        return sum(_count(inner) for inner in value)
    return 1
