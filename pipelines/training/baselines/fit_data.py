"""What a baseline is fitted on: events up to some instant, the catalogue, and what an event counts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.training.data import Interactions, ModelSplit
from serving.bundle import Spec

OTHER_TYPES = 0.1
"""What an event counts whose type the bundle's spec does not name."""


@dataclass(frozen=True, slots=True)
class FitData:
    """Everything that a baseline may look at before it is asked."""

    interactions: Interactions
    """Ordered by user, then time."""
    n_users: int
    catalogue: pa.Table
    """`item_id` and what is known of the items; row i is item index i."""
    weights: npt.NDArray[np.float64]
    """[T + 1] what an event of each type code counts; 0 stands for padding."""
    seed: int = 0

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.catalogue.num_rows)

    @classmethod
    def of(cls, trial: ModelSplit, interactions: Interactions | None = None) -> Self:
        """What is known to learn from in a trial; or these interactions, of the same users and items."""
        return cls(
            trial.learning if interactions is None else interactions,
            trial.n_users,
            trial.catalogue,
            type_weights(trial.event_types),
            trial.seed,
        )


def type_weights(event_types: Sequence[str]) -> npt.NDArray[np.float64]:
    """[T + 1] what an event of each type code counts, as in a release's spec; the largest counts 1."""
    named: Any = next(entry for entry in fields(Spec) if entry.name == "event_weights").default_factory
    weights = np.array([named().get(name, OTHER_TYPES) for name in event_types])
    return np.concatenate(([0.0], weights / weights.max(initial=OTHER_TYPES)))
