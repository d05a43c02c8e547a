from .evaluate import asked_requests as asked_requests
from .evaluate import measure as measure

__all__ = [
    "asked_requests",
    "measure",
]
