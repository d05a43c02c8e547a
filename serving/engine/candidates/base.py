"""What a candidate source is: one object with its name, its arrays, its weight, and how it proposes items."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates.affinity import ItemAffinity
from serving.engine.user_batch import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SourceCandidates:
    """What one source proposes to B users."""

    items: Integers
    """[B, k] item indices, best first, -1 behind the last one."""
    scores: Floats
    """[B, k] the source's own scores, none above the one before it; 0 where there is no item."""


@dataclass(frozen=True, slots=True)
class CandidateRequest:
    """What a source may look at to propose items to B users."""

    bundle: Bundle
    """The release."""
    users: UserBatch
    """B users."""
    affinity: ItemAffinity
    """How much each user cares for the items of the own history."""
    queries: Floats | None
    """[B, D] from the query encoder; None where the bundle has none."""
    limit: int
    """k: items to propose to each user at most."""
    allowed: Mask | None
    """[n] items that may be proposed at all; None allows every item."""


@dataclass(frozen=True, slots=True)
class CandidateSource:
    """One way of proposing candidate items. Each has a module of its own and an entry in `registry`."""

    name: str
    """As `spec.json`, answers and metrics call it."""
    candidates: Callable[[CandidateRequest], SourceCandidates]
    """Proposes items to all users at once; vectorised over users."""
    arrays: tuple[str, ...]
    """Arrays of the bundle that it reads."""
    default_weight: float
    """Its share of the places when sources are merged, where training has fitted none."""
    specificity: int
    """How much it knows of the shopper: between equal ranks, the more specific source is named."""
    reason: str
    """Code of the reason that a shopper reads where no fact of the own history explains an item."""
