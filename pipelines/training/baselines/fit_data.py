"""What a baseline is fitted on: events up to some instant, the catalogue, and what an event counts."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.training.data import Interactions, ModelSplit
from serving.bundle import declared_by, liking_weights, undeclared

LOG = logging.getLogger(__name__)


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
            type_weights(trial.event_types, trial.target_types),
            trial.seed,
        )


def type_weights(event_types: Sequence[str], target_types: Sequence[str] = ()) -> npt.NDArray[np.float64]:
    """[T + 1] what an event of each type code counts, as in a release; the largest counts 1.

    A log of which no type has a declared weight, such as one of plays alone, counts all of them alike.

    Args:
        event_types: A type's code is its 1-based place.
        target_types: Types that count as success; they count like a purchase if none of them has a weight.
    """
    declared = declared_by(target_types)
    weights = liking_weights(event_types, declared)
    if missing := undeclared(event_types, declared):
        counts = (
            "all its events count alike" if len(missing) == len(event_types) else "its events count nothing"
        )
        LOG.warning("no weight is declared for event type %s: %s", ", ".join(missing), counts)
    return weights / (weights.max(initial=0.0) or 1.0)
