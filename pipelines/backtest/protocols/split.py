"""What a protocol makes of a data set: the trial, the test's requests, and the answers kept apart."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.evaluation import GroundTruth, TimeSplit
from pipelines.training.data import EvaluationPoint, Histories, Interactions, ModelSplit

NEVER_S = np.iinfo(np.int64).max
"""A second after every event."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Where the cutoff lies. Found once, and held while what lies after it is changed by the leak prober."""

    known: NDArray[np.bool_]
    """[E] which events of the data set lie before the cutoff."""
    users: pa.StringArray | None = None
    """Users who are tested, ascending; None where everybody may be."""
    split: TimeSplit | None = None
    """Instants of the stages, of protocol temporal alone."""


@dataclass(frozen=True, slots=True)
class TestAnswers:
    """What really came: U rows, one for each asker whose request has an answer. No model sees it."""

    truth: GroundTruth
    """Row u's distinct items; those outside the catalogue count as missed."""
    requests: NDArray[np.int64]
    """[U] which request of the test stage row u is answered by."""
    types: Mapping[str, NDArray[np.bool_]]
    """Event type → [n_pairs] which true pairs had such an event."""


@dataclass(frozen=True, slots=True)
class BacktestSplit:
    """One data set under one protocol."""

    trial: ModelSplit
    """What models are fitted on."""
    test: EvaluationPoint
    """The requests of the test, without their answers."""
    answers: TestAnswers
    counts: Mapping[str, int]
    """What was left out or is special, by name."""


def all_of(interactions: Interactions, users: NDArray[np.int64]) -> Histories:
    """Everything that these users did, asked for one second after each one's last event."""
    whole = Histories.of(interactions, users, np.full(len(users), NEVER_S, np.int64))
    return asked_after_the_last(whole)


def asked_after_the_last(histories: Histories) -> Histories:
    """The histories with requests one second after each one's last event; empty ones at second 0."""
    at_s = np.zeros(len(histories), np.int64)
    filled = histories.sizes > 0
    at_s[filled] = histories.times[histories.indptr[1:][filled] - 1] + 1
    return replace(histories, at_s=at_s)


def seen_pairs(histories: Histories, n_items: int) -> NDArray[np.int64]:
    """Ascending distinct `request * n_items + item` of every item in a history."""
    return np.unique(histories.rows * np.int64(n_items) + histories.items)
