from .bm25f import BM25F as BM25F
from .bm25f import FIELD_WEIGHTS as FIELD_WEIGHTS
from .engine import SearchEngine as SearchEngine
from .engine import SearchRequest as SearchRequest
from .words import Stemmer as Stemmer

__all__ = [
    "BM25F",
    "FIELD_WEIGHTS",
    "SearchEngine",
    "SearchRequest",
    "Stemmer",
]
