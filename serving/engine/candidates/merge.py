"""Merging what the sources propose into one list for each user."""

import numpy as np
import numpy.typing as npt

from serving.engine.candidates.base import SourceCandidates

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


def merge(
    candidates: list[SourceCandidates], weights: list[float], limit: int
) -> tuple[Integers, Floats, Floats]:
    """One list per user out of every source's, each item once.

    An item's place is the best of its ranks divided by the source's weight: sources take turns, and one of
    weight 2 has two turns where one of weight 1 has one.

    Args:
        candidates: Of each source.
        weights: Of each source, above 0.
        limit: C.

    Returns:
        Items [B, C], source scores [B, C, S] and source strengths [B, C, S].
    """
    items = np.concatenate([one.items for one in candidates], axis=1)
    strengths = np.concatenate([_shares(one.scores) for one in candidates], axis=1)
    n_users, width = items.shape
    ranks = np.concatenate([np.arange(1, one.items.shape[1] + 1) for one in candidates])
    sources = np.concatenate([np.full(one.items.shape[1], index) for index, one in enumerate(candidates)])
    turns = ranks / np.maximum(np.array(weights), 1e-9)[sources] + sources * 1e-6
    turns_of = np.where(items >= 0, turns, np.inf)
    order = np.lexsort((turns_of, items), axis=1)
    items, turns_of = np.take_along_axis(items, order, 1), np.take_along_axis(turns_of, order, 1)
    first = np.ones((n_users, width), bool)
    first[:, 1:] = items[:, 1:] != items[:, :-1]
    # Every source writes its reciprocal rank and its strength to the first column of the item.
    home = np.maximum.accumulate(np.where(first, np.arange(width), 0), axis=1)
    evidence = np.zeros((n_users, width, 2 * len(candidates)), np.float32)
    at = np.arange(n_users)[:, None], home
    evidence[*at, sources[order]] = 1.0 / ranks[order]
    evidence[*at, sources[order] + len(candidates)] = np.take_along_axis(strengths, order, 1)
    best = np.argsort(np.where(first, turns_of, np.inf), axis=1, kind="stable")[:, :limit]
    retained = np.take_along_axis(first & (items >= 0), best, 1)
    merged = np.full((n_users, limit), -1, np.int32)
    merged_evidence = np.zeros((n_users, limit, evidence.shape[2]), np.float32)
    merged[:, : best.shape[1]] = np.where(retained, np.take_along_axis(items, best, 1), -1)
    merged_evidence[:, : best.shape[1]] = (
        np.take_along_axis(evidence, best[:, :, None], 1) * retained[:, :, None]
    )
    return merged, merged_evidence[..., : len(candidates)], merged_evidence[..., len(candidates) :]


def _shares(scores: Floats) -> Floats:
    """[B, k] scores as shares of each user's best one, within 0 and 1."""
    best = np.max(scores, axis=1, initial=0.0, keepdims=True)
    return np.asarray(np.clip(scores / np.maximum(best, np.finfo(np.float32).tiny), 0, 1), np.float32)
