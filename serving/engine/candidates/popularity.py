"""Source `popularity`: the most popular items, the same for everybody."""

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates

Integers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


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


def _candidates(request: CandidateRequest) -> SourceCandidates:
    top = most_popular(request.bundle, request.limit, request.allowed)
    shape = (len(request.users), len(top))
    scores = request.bundle.popularity[top]
    return SourceCandidates(np.broadcast_to(top, shape), np.broadcast_to(scores, shape))


POPULARITY = CandidateSource(
    name="popularity",
    candidates=_candidates,
    arrays=("popularity",),
    default_weight=0.5,
    specificity=0,
    reason="popular",
)
