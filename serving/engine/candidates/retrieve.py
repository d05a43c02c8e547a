"""Candidate items for users: all sources, merged and without doubles, for all users at once.

One code for training rows, for evaluation and for serving, so that the ranker meets in production what it
was trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates.sources import (
    SourceCandidates,
    followers_of_latest,
    item_affinity,
    lookalikes_of_latest,
    nearest,
    neighbours_of_history,
    personal,
    popular,
)
from serving.engine.user_batch import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

USER_BATCH_SIZE = 128
"""Most users scored at once."""

SCORE_BATCH_SIZE = 16_000_000
"""Of users with items; fewer users are scored at once where there are very many items."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate items of B users, in the order of the merge."""

    items: Integers
    """[B, C] item indices, -1 = padding behind the last one."""
    retrieval_scores: Floats
    """[B, C] dot product of query and item vector, whichever source offered the item."""
    source_scores: Floats
    """[B, C, S] 1 / (1-based rank) in each source of `spec.sources`, 0 where it did not offer the item."""
    source_strengths: Floats
    """[B, C, S] the source's own score of the item as a share of its best one's, 0 where not offered."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of all users, out of those of one part of them after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            **{
                entry.name: np.concatenate([getattr(part, entry.name) for part in parts])
                for entry in fields(cls)
            }
        )

    def rows(self, chosen: npt.NDArray[Any]) -> "Candidates":
        """Those of some of the users."""
        return Candidates(**{entry.name: getattr(self, entry.name)[chosen] for entry in fields(self)})


def retrieve(
    bundle: Bundle,
    users: UserBatch,
    queries: Floats | None,
    limit: int | None = None,
    allowed: Mask | None = None,
) -> Candidates:
    """Up to `limit` distinct candidate items for each user.

    Args:
        bundle: The release.
        users: B users.
        queries: [B, D] from the query encoder; without them the source two_tower offers nothing.
        limit: C, the release's own number by default.
        allowed: [n] items that may be offered at all; everything by default. It is applied inside every
            source, so that a narrow filter still fills its list.
    """
    limit = bundle.spec.candidates if limit is None else limit
    parts = [
        _retrieve_part(bundle, users.rows(part), None if queries is None else queries[part], limit, allowed)
        for part in parts_of(bundle, len(users))
    ]
    return Candidates.joined(parts)


def parts_of(bundle: Bundle, n_users: int) -> list[slice]:
    """Users that are scored at once; one empty part where there are none."""
    size = min(USER_BATCH_SIZE, max(1, SCORE_BATCH_SIZE // max(bundle.n_items, 1)))
    return [slice(start, start + size) for start in range(0, max(n_users, 1), size)]


def _retrieve_part(
    bundle: Bundle, users: UserBatch, queries: Floats | None, limit: int, allowed: Mask | None
) -> Candidates:
    offers = candidates_by_source(bundle, users, queries, limit, allowed)
    weights = [bundle.spec.source_weights.get(source, 1.0) for source in bundle.spec.sources]
    items, source_scores, source_strengths = merge(offers, weights, limit)
    dots = np.zeros(items.shape, np.float32)
    if queries is not None:
        dots = np.einsum("bd,bcd->bc", queries, bundle.item_vectors[items]).astype(np.float32)
    return Candidates(items, np.where(items >= 0, dots, np.float32(0)), source_scores, source_strengths)


def candidates_by_source(
    bundle: Bundle, users: UserBatch, queries: Floats | None, limit: int, allowed: Mask | None = None
) -> list[SourceCandidates]:
    """What each of `spec.sources` would offer, up to `limit` items for each user; as `retrieve` has them."""
    interest, n_users = item_affinity(bundle, users), len(users)
    # What users had falls out of every offer: a source has to tell so many more.
    had = 0 if bundle.spec.repeats else int((users.history_items >= 0).sum(axis=1).max(initial=0))
    reach = limit + had
    offers = []
    for source in bundle.spec.sources:
        if source == "two_tower":
            offers.append(nearest(bundle, queries, n_users, reach, allowed))
        elif source == "personal":
            offers.append(personal(interest, n_users, reach, allowed))
        elif source == "item_knn":
            offers.append(neighbours_of_history(bundle, interest, n_users, reach, allowed))
        elif source == "followers":
            offers.append(followers_of_latest(bundle, users, reach, allowed))
        elif source == "lookalikes":
            offers.append(lookalikes_of_latest(bundle, users, reach, allowed))
        else:
            offers.append(popular(bundle, n_users, reach, allowed))
    if bundle.spec.repeats:
        return offers
    return [_without_history(bundle, users, offer, limit) for offer in offers]


def merge(
    offers: list[SourceCandidates], weights: list[float], limit: int
) -> tuple[Integers, Floats, Floats]:
    """One list per user out of every source's, each item once.

    An item's place is the best of its ranks divided by the source's weight: sources take turns, and one of
    weight 2 has two turns where one of weight 1 has one.

    Args:
        offers: Per source.
        weights: Per source, above 0 to be heard.
        limit: C.

    Returns:
        Items [B, C], source scores [B, C, S] and source strengths [B, C, S].
    """
    items = np.concatenate([offer.items for offer in offers], axis=1)
    strengths = np.concatenate([_shares(offer.scores) for offer in offers], axis=1)
    n_users, width = items.shape
    ranks = np.concatenate([np.arange(1, offer.items.shape[1] + 1) for offer in offers])
    sources = np.concatenate([np.full(offer.items.shape[1], place) for place, offer in enumerate(offers)])
    turns = ranks / np.maximum(np.array(weights), 1e-9)[sources] + sources * 1e-6
    turns_of = np.where(items >= 0, turns, np.inf)
    order = np.lexsort((turns_of, items), axis=1)
    items, turns_of = np.take_along_axis(items, order, 1), np.take_along_axis(turns_of, order, 1)
    first = np.ones((n_users, width), bool)
    first[:, 1:] = items[:, 1:] != items[:, :-1]
    # Every offer writes its reciprocal rank and its strength to the place of its item's first offer.
    home = np.maximum.accumulate(np.where(first, np.arange(width), 0), axis=1)
    told = np.zeros((n_users, width, 2 * len(offers)), np.float32)
    at = np.arange(n_users)[:, None], home
    told[*at, sources[order]] = 1.0 / ranks[order]
    told[*at, sources[order] + len(offers)] = np.take_along_axis(strengths, order, 1)
    best = np.argsort(np.where(first, turns_of, np.inf), axis=1, kind="stable")[:, :limit]
    kept = np.take_along_axis(first & (items >= 0), best, 1)
    merged = np.full((n_users, limit), -1, np.int32)
    merged_told = np.zeros((n_users, limit, told.shape[2]), np.float32)
    merged[:, : best.shape[1]] = np.where(kept, np.take_along_axis(items, best, 1), -1)
    merged_told[:, : best.shape[1]] = np.take_along_axis(told, best[:, :, None], 1) * kept[:, :, None]
    return merged, merged_told[..., : len(offers)], merged_told[..., len(offers) :]


def _without_history(
    bundle: Bundle, users: UserBatch, offer: SourceCandidates, limit: int
) -> SourceCandidates:
    """The first `limit` of the offer's items that the user did not have before, moved up."""
    first = np.arange(len(users), dtype=np.int64)[:, None] * (bundle.n_items + 1)
    had = np.isin(first + offer.items + 1, first + users.history_items + 1)
    order = np.argsort(had, axis=1, kind="stable")[:, :limit]
    items, scores = np.where(had, -1, offer.items), np.where(had, np.float32(0), offer.scores)
    return SourceCandidates(np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1))


def _shares(scores: Floats) -> Floats:
    """[B, k] scores as shares of each user's best one, within 0 and 1."""
    best = np.max(scores, axis=1, initial=0.0, keepdims=True)
    return np.asarray(np.clip(scores / np.maximum(best, np.finfo(np.float32).tiny), 0, 1), np.float32)
