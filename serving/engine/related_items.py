"""Items that go with, or are like, one item or a whole cart, known to the release or not."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates import Mask, most_popular, similarities, top_columns

Floats = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
"""[n] how strongly each item is related; 0 = not at all."""

SHELF_WEIGHT, LOOKS_WEIGHT, BUYERS_WEIGHT = 1.0, 0.5, 0.5
"""What the same category, a like description and shared buyers count beside the likeness of vectors, in
similar items. Who buys bananas buys milk too: buyers tell what goes with an item, not what could stand in."""
LEAST_SHARE = 0.25
"""An item less than so much as like as the likest one is not called similar."""
STAND_INS = 10
"""Similar items whose complements stand in for those of an item that was never in a basket."""


def similar_items(bundle: Bundle, item: int, allowed: Mask | None, limit: int) -> Scores:
    """How like the item every other one is: the shelf, vectors, descriptions, and shared buyers.

    An item without history has its shelf, its description and a vector made from both.
    """
    likeness = np.maximum(similarities(bundle, bundle.item_vectors[item][None, :])[0], 0)
    buyers = _by_item(bundle, bundle.neighbours[item], bundle.neighbour_scores[item])
    looks = _by_item(bundle, bundle.lookalikes[item], bundle.lookalike_scores[item])
    scores = likeness + SHELF_WEIGHT * shared_shelf(bundle, item) + LOOKS_WEIGHT * looks
    scores += BUYERS_WEIGHT * buyers
    scores[item] = 0
    scores[scores < LEAST_SHARE * scores.max()] = 0
    return _best_of(scores, np.array([item]), allowed, limit)


def complements_of(bundle: Bundle, items: Sequence[int], allowed: Mask | None, limit: int) -> Scores:
    """How well every item goes with all of `items` together: the sum over their complements.

    For an item that was never bought with another, the complements of the items most like it stand in.
    """
    scores = np.zeros(bundle.n_items, np.float32)
    for item in items:
        own = _by_item(bundle, bundle.complements[item], bundle.complement_scores[item])
        scores += own if own.any() else _borrowed(bundle, item)
    return _best_of(scores, np.asarray(items, np.int64), allowed, limit)


def shared_shelf(bundle: Bundle, item: int) -> Floats:
    """[n] the share of the item's category levels, from the top, that every item has in common with it."""
    catalogue = bundle.catalogue
    code = int(catalogue.category_codes[item])
    shares = np.zeros(len(catalogue.categories) + 1, np.float32)
    own = catalogue.levels[code] if code >= 0 else ()
    for depth in range(1, len(own) + 1):
        shares[catalogue.codes_within(own[:depth])] = depth / len(own)
    return shares[catalogue.category_codes]


def popular_fallback(
    bundle: Bundle, anchors: Sequence[int], taken: npt.NDArray[np.int32], allowed: Mask | None, limit: int
) -> npt.NDArray[np.int32]:
    """Popular items of the first anchor's top category, then popular items of all; none that is taken."""
    if limit <= 0:
        return np.zeros(0, np.int32)
    free = np.ones(bundle.n_items, bool) if allowed is None else allowed.copy()
    free[list(anchors)] = False
    free[taken] = False
    code = int(bundle.catalogue.category_codes[anchors[0]])
    near = np.zeros(0, np.int32)
    if code >= 0 and bundle.catalogue.levels[code]:
        beside = bundle.catalogue.within(bundle.catalogue.levels[code][0])
        near = most_popular(bundle, limit, free & beside)
        free[near] = False
    return np.concatenate([near, most_popular(bundle, limit - len(near), free)])


def _borrowed(bundle: Bundle, item: int) -> Scores:
    like = similar_items(bundle, item, None, STAND_INS)
    stand_ins = np.flatnonzero(like)
    strength = like[stand_ins] / max(float(like.max(initial=0)), 1e-9)
    scores = np.zeros(bundle.n_items, np.float32)
    for stand_in, weight in zip(stand_ins, strength, strict=True):
        row = _by_item(bundle, bundle.complements[stand_in], bundle.complement_scores[stand_in])
        scores += 0.5 * weight * row / len(stand_ins)
    return scores


def _by_item(bundle: Bundle, found: npt.NDArray[np.int32], scores: Floats) -> Scores:
    """A row of a neighbour list spread over all items, the best one counting 1."""
    spread = np.zeros(bundle.n_items, np.float32)
    known = (found >= 0) & (scores > 0)
    if known.any():
        spread[found[known]] = scores[known] / scores[known].max()
    return spread


def _best_of(scores: Scores, without: npt.NDArray[np.int64], allowed: Mask | None, limit: int) -> Scores:
    scores[without] = 0
    if allowed is not None:
        scores[~allowed] = 0
    related = np.flatnonzero(scores)
    if len(related) > limit:
        best = related[top_columns(scores[None, related], limit)[0]]
        kept = np.zeros_like(scores)
        kept[best] = scores[best]
        return kept
    return scores
