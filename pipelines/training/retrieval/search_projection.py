"""Search vectors: the few directions in which items' vectors differ most, to find the nearest items sooner.

Joined models have vectors of hundreds of numbers, and a search reads all of every item's. Their principal
directions tell which items are near, and only those are compared whole
(`serving.engine.candidates.two_tower`).
"""

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle, write_array
from serving.engine.candidates import nearest, similarities, top_columns

Floats = npt.NDArray[np.float32]

DIRECTIONS = 128
"""Numbers of a search vector (S)."""

WORTHWHILE = 8_000_000
"""Numbers of all items' vectors from which on a search takes so long, a millisecond, that it is shortened."""

LEAST_FOUND = 0.995
"""Share of the nearest items that has to be found with search vectors; else there are none."""

COMPARED_QUERIES = 50


def write_search(bundle: Bundle, queries: Floats) -> float | None:
    """Write search vectors into the bundle under construction if they pay and find the same items.

    Args:
        bundle: With item vectors [n, D].
        queries: [B, D] of validation; what cannot be compared is not shortened.

    Returns:
        The share of the nearest items that is found; None where nothing was tried.
    """
    vectors = bundle.item_vectors
    paths = [bundle.directory / f"{name}.npy" for name in ("search_vectors", "search_directions")]
    for path in paths:
        path.unlink(missing_ok=True)
    if vectors.shape[1] < 2 * DIRECTIONS or vectors.size < WORTHWHILE or not len(queries):
        return None
    directions = principal_directions(vectors, DIRECTIONS)
    write_array(bundle.directory, "search_vectors", vectors @ directions)
    write_array(bundle.directory, "search_directions", directions)
    share = found_share(Bundle.open(bundle.directory), queries[:COMPARED_QUERIES])
    if share < LEAST_FOUND:
        for path in paths:
            path.unlink()
    return share


def principal_directions(vectors: Floats, count: int) -> Floats:
    """[D, count] the orthogonal directions of which vectors [n, D] have most, the first most of all."""
    _, directions = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(directions[:, ::-1][:, :count], np.float32)


def found_share(bundle: Bundle, queries: Floats) -> float:
    """Share of the items nearest to queries [B, D] that searches by the bundle's search vectors find."""
    limit = bundle.spec.candidates
    whole = top_columns(similarities(bundle, queries), limit)
    found = (nearest(bundle, query[None, :], 1, limit, None).items[0] for query in queries)
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(whole, found, strict=True)]))
