from .schemas import CATEGORY_SEPARATOR as CATEGORY_SEPARATOR
from .schemas import KEYS as KEYS
from .schemas import SCHEMAS as SCHEMAS
from .tables import Lake as Lake
from .tables import open_lake as open_lake

__all__ = [
    "CATEGORY_SEPARATOR",
    "KEYS",
    "SCHEMAS",
    "Lake",
    "open_lake",
]
