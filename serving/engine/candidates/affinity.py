"""How much users care for the items of their own history."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle, liking_weights, signed_weights
from serving.engine.candidates.selection import sums
from serving.engine.user_batch import UserBatch

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ItemAffinity:
    """How much each user cares for the items of the own history, one row per user and item."""

    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


def item_affinity(bundle: Bundle, users: UserBatch) -> ItemAffinity:
    """Each user's distinct history items with the sum of event weight times 0.5 ** (age / half-life).

    What speaks against an item, such as a return, is subtracted; a sum below 0 counts as 0.
    """
    weights = signed_weights(bundle.spec.event_types, bundle.spec.event_weights)
    at_user, at_event = np.nonzero(users.history_items >= 0)
    keys = at_user * np.int64(bundle.n_items) + users.history_items[at_user, at_event]
    half_lives = users.history_ages_s[at_user, at_event] / (bundle.spec.personal_half_life_days * DAY_S)
    strength = weights[users.history_types[at_user, at_event]] * np.exp2(-half_lives)
    distinct, inverse = np.unique(keys, return_inverse=True)
    scores = np.maximum(sums(inverse, strength, len(distinct)), 0)
    return ItemAffinity(*np.divmod(distinct, bundle.n_items), scores=scores)


def type_weights(bundle: Bundle) -> npt.NDArray[np.float64]:
    """[T + 1] how much an event of each type code counts, 0 for padding."""
    return liking_weights(bundle.spec.event_types, bundle.spec.event_weights)
