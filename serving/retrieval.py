"""Candidate items for users: four sources, merged and without doubles, for all users at once.

One code for training rows, for evaluation and for serving, so that the ranker meets in production what it
was trained on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.sources import interest_of, nearest, neighbours_of_history, personal, popular
from serving.users import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

CHUNK = 128
"""Users scored at once: bounds the memory of [CHUNK, n_items] scores."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate items of B users, in the order of the merge."""

    items: Integers
    """[B, C] item indices, -1 = padding behind the last one."""
    retrieval_scores: Floats
    """[B, C] dot product of query and item vector, whichever source offered the item."""
    source_scores: Floats
    """[B, C, S] 1 / (1-based rank) in each source of `spec.sources`, 0 where it did not offer the item."""

    def rows(self, chosen: npt.NDArray[Any]) -> "Candidates":
        """Those of some of the users."""
        return Candidates(self.items[chosen], self.retrieval_scores[chosen], self.source_scores[chosen])


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
        _retrieve_chunk(
            bundle,
            users.rows(slice(start, start + CHUNK)),
            None if queries is None else queries[start : start + CHUNK],
            limit,
            allowed,
        )
        for start in range(0, max(len(users), 1), CHUNK)
    ]
    if len(parts) == 1:
        return parts[0]
    return Candidates(
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.retrieval_scores for part in parts]),
        np.concatenate([part.source_scores for part in parts]),
    )


def _retrieve_chunk(
    bundle: Bundle, users: UserBatch, queries: Floats | None, limit: int, allowed: Mask | None
) -> Candidates:
    interest = interest_of(bundle, users)
    offers = []
    for source in bundle.spec.sources:
        if source == "two_tower":
            offers.append(nearest(bundle, queries, len(users), limit, allowed))
        elif source == "personal":
            offers.append(personal(interest, len(users), limit, allowed))
        elif source == "item_knn":
            offers.append(neighbours_of_history(bundle, interest, len(users), limit, allowed))
        else:
            offers.append(popular(bundle, len(users), limit, allowed))
    weights = [bundle.spec.source_weights.get(source, 1.0) for source in bundle.spec.sources]
    items, source_scores = merge(offers, weights, limit)
    if queries is None:
        return Candidates(items, np.zeros(items.shape, np.float32), source_scores)
    dots = np.einsum("bd,bcd->bc", queries, bundle.item_vectors[items]).astype(np.float32)
    return Candidates(items, np.where(items >= 0, dots, np.float32(0)), source_scores)


def merge(offers: list[Integers], weights: list[float], limit: int) -> tuple[Integers, Floats]:
    """One list per user out of every source's, each item once.

    An item's place is the best of its ranks divided by the source's weight: sources take turns, and one of
    weight 2 has two turns where one of weight 1 has one.

    Args:
        offers: Per source [B, k] item indices, best first, -1 = none.
        weights: Per source, above 0 to be heard.
        limit: C.

    Returns:
        Items [B, C] and source scores [B, C, S].
    """
    items = np.concatenate(offers, axis=1)
    n_users, width = items.shape
    ranks = np.concatenate([np.arange(1, offer.shape[1] + 1) for offer in offers])
    sources = np.concatenate([np.full(offer.shape[1], place) for place, offer in enumerate(offers)])
    turns = ranks / np.maximum(np.array(weights), 1e-9)[sources] + sources * 1e-6
    turns_of = np.where(items >= 0, turns, np.inf)
    order = np.lexsort((turns_of, items), axis=1)
    items, turns_of = np.take_along_axis(items, order, 1), np.take_along_axis(turns_of, order, 1)
    first = np.ones((n_users, width), bool)
    first[:, 1:] = items[:, 1:] != items[:, :-1]
    # Every offer writes its reciprocal rank to the place of its item's first offer.
    home = np.maximum.accumulate(np.where(first, np.arange(width), 0), axis=1)
    scores = np.zeros((n_users, width, len(offers)), np.float32)
    scores[np.arange(n_users)[:, None], home, sources[order]] = 1.0 / ranks[order]
    best = np.argsort(np.where(first, turns_of, np.inf), axis=1, kind="stable")[:, :limit]
    kept = np.take_along_axis(first & (items >= 0), best, 1)
    merged = np.full((n_users, limit), -1, np.int32)
    merged_scores = np.zeros((n_users, limit, len(offers)), np.float32)
    merged[:, : best.shape[1]] = np.where(kept, np.take_along_axis(items, best, 1), -1)
    merged_scores[:, : best.shape[1]] = np.take_along_axis(scores, best[:, :, None], 1) * kept[:, :, None]
    return merged, merged_scores
