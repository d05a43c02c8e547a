from .retrieve import Candidates as Candidates
from .retrieve import candidates_by_source as candidates_by_source
from .retrieve import merge as merge
from .retrieve import parts_of as parts_of
from .sources import Mask as Mask
from .sources import most_popular as most_popular
from .sources import nearest as nearest
from .sources import similarities as similarities
from .sources import top_columns as top_columns

__all__ = [
    "Candidates",
    "Mask",
    "candidates_by_source",
    "merge",
    "most_popular",
    "nearest",
    "parts_of",
    "similarities",
    "top_columns",
]
