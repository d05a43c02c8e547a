"""Event types and their weights, stated once: how much an event speaks for an item, or against it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

EVENT_WEIGHTS: Mapping[str, float] = {
    "purchase": 1.0,
    "cart": 0.3,
    "view": 0.1,
    "rating": 0.1,
    "remove_from_cart": -0.3,
    "return": -1.0,
    "refund": -1.0,
    "dislike": -1.0,
    "hide": -1.0,
}
"""Weight by event type. Below 0, the event speaks against the item, and never counts as liking it."""

NOT_HISTORY = frozenset({"impression", "search"})
"""Event types that say what was shown or searched, and not what a user did with an item."""


def liking_weights(
    event_types: Sequence[str], declared: Mapping[str, float] | None = None
) -> npt.NDArray[np.float64]:
    """[T + 1] how much an event of each type code says that the user likes the item; 0 for padding.

    A negative weight counts 0, for it is no liking; so does a type that nobody declared. A log of which no
    type has a positive weight, such as one of plays alone, counts its undeclared types alike.

    Args:
        event_types: A type's code is its 1-based place.
        declared: Weights that replace those of `EVENT_WEIGHTS`.
    """
    weights = {**EVENT_WEIGHTS, **(declared or {})}
    liking = [max(0.0, weights.get(name, 0.0)) for name in event_types]
    if not any(liking):
        liking = [float(name not in weights and name not in NOT_HISTORY) for name in event_types]
    return np.array([0.0, *liking])


def signed_weights(
    event_types: Sequence[str], declared: Mapping[str, float] | None = None
) -> npt.NDArray[np.float64]:
    """[T + 1] `liking_weights`, with the negative weights of types that speak against an item."""
    weights = {**EVENT_WEIGHTS, **(declared or {})}
    against = [min(0.0, weights.get(name, 0.0)) for name in event_types]
    signed: npt.NDArray[np.float64] = liking_weights(event_types, declared) + np.array([0.0, *against])
    return signed


def declared_by(target_types: Iterable[str]) -> dict[str, float]:
    """Weights of target types where none of them has a positive one: each counts like a purchase.

    A shop that calls a purchase "order" declares a success by naming it as its target.
    """
    targets = tuple(target_types)
    if any(EVENT_WEIGHTS.get(name, 0.0) > 0 for name in targets):
        return {}
    return dict.fromkeys((name for name in targets if name not in EVENT_WEIGHTS), EVENT_WEIGHTS["purchase"])


def undeclared(event_types: Sequence[str], declared: Mapping[str, float] | None = None) -> list[str]:
    """Event types without a weight, in ascending order: they count nothing."""
    return sorted(set(event_types) - set(EVENT_WEIGHTS) - set(declared or {}) - NOT_HISTORY)
