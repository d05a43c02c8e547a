"""The candidate sources: each offers items to all users at once, best first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.user_batch import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

KNN_HISTORY = 50
"""Distinct items of a user's history whose neighbours are offered."""
LATEST = 16
"""Last events whose followers and lookalikes are offered."""
FOLLOWER_DECAY, LOOKALIKE_DECAY = 0.5, 0.7
"""What an event counts of the one after it, in the sources that look at the last events."""
SHORTLIST = 4
"""So many times the items that are asked for are compared whole, where the bundle says how to find them."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SourceCandidates:
    """What one source offers to B users."""

    items: Integers
    """[B, k] item indices, best first, -1 behind the last one."""
    scores: Floats
    """[B, k] the source's own scores, none above the one before it; 0 where there is no item."""


@dataclass(frozen=True, slots=True)
class ItemAffinity:
    """How much each user cares for the items of the own history, one row per user and item."""

    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


def item_affinity(bundle: Bundle, users: UserBatch) -> ItemAffinity:
    """Each user's distinct history items with the sum of event weight times 0.5 ** (age / half-life)."""
    weights = type_weights(bundle)
    at_user, at_event = np.nonzero(users.history_items >= 0)
    keys = at_user * np.int64(bundle.n_items) + users.history_items[at_user, at_event]
    half_lives = users.history_ages_s[at_user, at_event] / (bundle.spec.personal_half_life_days * DAY_S)
    strength = weights[users.history_types[at_user, at_event]] * np.exp2(-half_lives)
    distinct, inverse = np.unique(keys, return_inverse=True)
    scores = sums(inverse, strength, len(distinct))
    return ItemAffinity(*np.divmod(distinct, bundle.n_items), scores=scores)


def type_weights(bundle: Bundle) -> npt.NDArray[np.float64]:
    """[T + 1] what an event of each type code counts, 0 for padding."""
    spec = bundle.spec
    return np.array([0.0, *(spec.event_weights.get(name, 0.1) for name in spec.event_types)])


def nearest(
    bundle: Bundle, queries: Floats | None, n_users: int, limit: int, allowed: Mask | None
) -> SourceCandidates:
    """The items of the largest dot product with the query.

    Among all items, or, for a single query of a bundle with search vectors, among the nearest by those: most
    of the time of a search goes into reading vectors, which are many numbers long where several models are
    joined. Training leaves search vectors out where they miss more than one in two hundred.
    """
    if queries is None:
        return SourceCandidates(np.full((n_users, 0), -1, np.int32), np.zeros((n_users, 0), np.float32))
    columns = None if allowed is None else np.flatnonzero(allowed).astype(np.int32)
    if len(queries) == 1 and bundle.search_vectors.shape[1]:
        columns = _shortlist(bundle, queries[0], SHORTLIST * limit, columns)
        scores = np.einsum("nd,d->n", bundle.item_vectors[columns], queries[0])[None, :]
    else:
        scores = similarities(bundle, queries)
        scores = scores if columns is None else scores[:, columns]
    best = top_columns(scores, limit)
    return SourceCandidates(best if columns is None else columns[best], np.take_along_axis(scores, best, 1))


def _shortlist(bundle: Bundle, query: Floats, size: int, columns: Integers | None) -> Integers:
    """[size] ascending items, of those in `columns`, with the largest product by the search vectors."""
    near = np.einsum("ns,s->n", bundle.search_vectors, query @ bundle.search_directions)
    near = near if columns is None else near[columns]
    best = np.arange(len(near)) if size >= len(near) else np.argpartition(near, -size)[-size:]
    ascending = np.sort(best).astype(np.int32)
    return ascending if columns is None else columns[ascending]


def similarities(bundle: Bundle, queries: Floats) -> Floats:
    """[B, n] dot products of the queries and every item's vector.

    A single query goes without BLAS: its threads cost more to wake, on a machine that is busy serving, than
    the product itself (12 ms against 2 ms for 92,000 items on two busy cores).
    """
    if len(queries) > 1:
        return queries @ bundle.item_vectors.T
    return np.asarray(np.einsum("nd,d->n", bundle.item_vectors, queries[0])[None, :], np.float32)


def top_columns(scores: Floats, limit: int) -> Integers:
    """[B, k] columns of the `limit` largest scores of each row, best first."""
    width = scores.shape[1]
    if limit < width:
        top = np.argpartition(scores, width - limit, axis=1)[:, width - limit :]
    else:
        top = np.broadcast_to(np.arange(width), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int32)


def personal(interest: ItemAffinity, n_users: int, limit: int, allowed: Mask | None) -> SourceCandidates:
    """Items of the user's own history by frequency and recency: buy again."""
    chosen = slice(None) if allowed is None else allowed[interest.items]
    return _best_pairs(
        interest.users[chosen], interest.items[chosen], interest.scores[chosen], n_users, limit
    )


def neighbours_of_history(
    bundle: Bundle, interest: ItemAffinity, n_users: int, limit: int, allowed: Mask | None
) -> SourceCandidates:
    """Items whose neighbours the user knows, by the sum of log(1 + interest) times similarity."""
    order, places = _ordered(interest.users, interest.scores, n_users)
    order = order[places < KNN_HISTORY]
    strength = np.log1p(interest.scores[order])
    lists = bundle.neighbours, bundle.neighbour_scores
    return _score_related(
        bundle, interest.users[order], interest.items[order], strength, lists, n_users, limit, allowed
    )


def followers_of_latest(
    bundle: Bundle, users: UserBatch, limit: int, allowed: Mask | None
) -> SourceCandidates:
    """Items that others took after what the user took last."""
    lists = bundle.followers, bundle.follower_scores
    return _related_to_latest(bundle, users, lists, FOLLOWER_DECAY, limit, allowed)


def lookalikes_of_latest(
    bundle: Bundle, users: UserBatch, limit: int, allowed: Mask | None
) -> SourceCandidates:
    """Items that are described like what the user took last."""
    lists = bundle.lookalikes, bundle.lookalike_scores
    return _related_to_latest(bundle, users, lists, LOOKALIKE_DECAY, limit, allowed)


def popular(bundle: Bundle, n_users: int, limit: int, allowed: Mask | None) -> SourceCandidates:
    """The most popular items, the same for everybody."""
    top = most_popular(bundle, limit, allowed)
    shape = (n_users, len(top))
    return SourceCandidates(np.broadcast_to(top, shape), np.broadcast_to(bundle.popularity[top], shape))


def most_popular(bundle: Bundle, limit: int, allowed: Mask | None) -> Integers:
    """[k] the most popular items that are allowed, best first."""
    order = bundle.popularity_order
    if allowed is None:
        return order[:limit]
    # Most filters are met by enough items among the first few thousand.
    for reach in (16 * limit, len(order)):
        found = order[:reach][allowed[order[:reach]]]
        if len(found) >= limit:
            break
    return found[:limit]


def sums(groups: npt.NDArray[Any], values: npt.NDArray[Any], n_groups: int) -> npt.NDArray[np.float64]:
    """[G] the sum of the values of each group."""
    return np.bincount(groups, values, n_groups).astype(np.float64, copy=False)


def _related_to_latest(
    bundle: Bundle,
    users: UserBatch,
    lists: tuple[Integers, Floats],
    decay: float,
    limit: int,
    allowed: Mask | None,
) -> SourceCandidates:
    items = users.history_items[:, :LATEST]
    weights = type_weights(bundle)[users.history_types[:, :LATEST]] * decay ** np.arange(items.shape[1])
    at_user, at_event = np.nonzero((items >= 0) & (weights > 0))
    chosen = at_user, at_event
    return _score_related(bundle, at_user, items[chosen], weights[chosen], lists, len(users), limit, allowed)


def _score_related(
    bundle: Bundle,
    users: npt.NDArray[np.int64],
    items: npt.NDArray[Any],
    weights: npt.NDArray[np.float64],
    lists: tuple[Integers, Floats],
    n_users: int,
    limit: int,
    allowed: Mask | None,
) -> SourceCandidates:
    """The related items of what users had, by the sum of weight times score."""
    found = lists[0][items]
    strength = weights[:, None] * lists[1][items]
    usable = (found >= 0) & (strength > 0)
    if allowed is not None:
        usable &= allowed[found]
    at_pair, at_place = np.nonzero(usable)
    keys = users[at_pair] * np.int64(bundle.n_items) + found[at_pair, at_place]
    distinct, inverse = np.unique(keys, return_inverse=True)
    scores = sums(inverse, strength[at_pair, at_place], len(distinct))
    at_user, related = np.divmod(distinct, bundle.n_items)
    return _best_pairs(at_user, related, scores, n_users, limit)


def _best_pairs(
    users: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    n_users: int,
    limit: int,
) -> SourceCandidates:
    """Each user's items of the highest scores."""
    order, places = _ordered(users, scores, n_users)
    inside = places < limit
    shape = (n_users, min(limit, int(places.max(initial=-1)) + 1))
    offer = SourceCandidates(np.full(shape, -1, np.int32), np.zeros(shape, np.float32))
    at = users[order][inside], places[inside]
    offer.items[at], offer.scores[at] = items[order][inside], scores[order][inside]
    return offer


def _ordered(
    users: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], n_users: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The pairs by user and falling score, and each one's 0-based place among its user's."""
    order = np.lexsort((-scores, users))
    counts = np.bincount(users, minlength=n_users)
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order, places
