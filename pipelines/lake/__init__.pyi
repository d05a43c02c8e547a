from .schemas import KEYS as KEYS
from .schemas import SCHEMAS as SCHEMAS
from .tables import Lake as Lake
from .tables import open_lake as open_lake

__all__ = [
    "KEYS",
    "SCHEMAS",
    "Lake",
    "open_lake",
]
