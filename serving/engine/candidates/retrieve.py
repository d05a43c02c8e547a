"""Candidate items for users: the lists of all sources merged, each item once, for a batch of users.

One code for training rows, for evaluation and for serving, so that the ranker meets in production what it
was trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates.affinity import item_affinity
from serving.engine.candidates.base import CandidateRequest, SourceCandidates
from serving.engine.candidates.merge import merge
from serving.engine.candidates.registry import source_named, weights_of
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
    weights = list(weights_of(bundle.spec).values())
    items, source_scores, source_strengths = merge(offers, weights, limit)
    dots = np.zeros(items.shape, np.float32)
    if queries is not None:
        dots = np.einsum("bd,bcd->bc", queries, bundle.item_vectors[items]).astype(np.float32)
    return Candidates(items, np.where(items >= 0, dots, np.float32(0)), source_scores, source_strengths)


def candidates_by_source(
    bundle: Bundle, users: UserBatch, queries: Floats | None, limit: int, allowed: Mask | None = None
) -> list[SourceCandidates]:
    """What each of `spec.sources` would offer, up to `limit` items for each user; as `retrieve` has them."""
    # What users had before falls out of every source's items, so each proposes that many more.
    had = 0 if bundle.spec.repeats else int((users.history_items >= 0).sum(axis=1).max(initial=0))
    request = CandidateRequest(bundle, users, item_affinity(bundle, users), queries, limit + had, allowed)
    proposed = [source_named(name).candidates(request) for name in bundle.spec.sources]
    if bundle.spec.repeats:
        return proposed
    return [_without_history(bundle, users, one, limit) for one in proposed]


def _without_history(
    bundle: Bundle, users: UserBatch, offer: SourceCandidates, limit: int
) -> SourceCandidates:
    """The first `limit` of the offer's items that the user did not have before, moved up."""
    first = np.arange(len(users), dtype=np.int64)[:, None] * (bundle.n_items + 1)
    had = np.isin(first + offer.items + 1, first + users.history_items + 1)
    order = np.argsort(had, axis=1, kind="stable")[:, :limit]
    items, scores = np.where(had, -1, offer.items), np.where(had, np.float32(0), offer.scores)
    return SourceCandidates(np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1))
