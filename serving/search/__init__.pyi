from .engine import SearchEngine as SearchEngine
from .engine import SearchRequest as SearchRequest

__all__ = [
    "SearchEngine",
    "SearchRequest",
]
