from .base import CandidateRequest as CandidateRequest
from .base import CandidateSource as CandidateSource
from .base import Mask as Mask
from .base import SourceCandidates as SourceCandidates
from .popularity import most_popular as most_popular
from .registry import SOURCES as SOURCES
from .registry import source_named as source_named
from .registry import weights_of as weights_of
from .retrieve import Candidates as Candidates
from .retrieve import candidates_by_source as candidates_by_source
from .retrieve import parts_of as parts_of
from .selection import top_columns as top_columns
from .two_tower import nearest as nearest
from .two_tower import similarities as similarities

__all__ = [
    "SOURCES",
    "CandidateRequest",
    "CandidateSource",
    "Candidates",
    "Mask",
    "SourceCandidates",
    "candidates_by_source",
    "most_popular",
    "nearest",
    "parts_of",
    "similarities",
    "source_named",
    "top_columns",
    "weights_of",
]
