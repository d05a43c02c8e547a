"""Source `trending`: items with more recent events than in their own past, the same for everybody."""

import numpy as np

from serving.engine.candidates.base import CandidateRequest, CandidateSource, SourceCandidates
from serving.engine.candidates.selection import top_columns


def _candidates(request: CandidateRequest) -> SourceCandidates:
    rises = request.bundle.trending
    rising = rises > 0 if request.allowed is None else (rises > 0) & request.allowed
    items = np.flatnonzero(rising).astype(np.int32)
    top = items[top_columns(rises[items][None, :], request.limit)[0]]
    shape = (len(request.users), len(top))
    return SourceCandidates(np.broadcast_to(top, shape), np.broadcast_to(rises[top], shape))


TRENDING = CandidateSource(
    name="trending",
    candidates=_candidates,
    arrays=("trending",),
    default_weight=0.5,
    specificity=0,
    reason="trending",
)
