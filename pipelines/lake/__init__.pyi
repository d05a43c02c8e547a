from .horizon import Horizon as Horizon
from .horizon import horizon_of as horizon_of
from .horizon import main_days as main_days
from .removal import remove_event as remove_event
from .schemas import CATEGORY_SEPARATOR as CATEGORY_SEPARATOR
from .schemas import KEYS as KEYS
from .schemas import SCHEMAS as SCHEMAS
from .tables import Lake as Lake
from .tables import open_lake as open_lake

__all__ = [
    "CATEGORY_SEPARATOR",
    "KEYS",
    "SCHEMAS",
    "Horizon",
    "Lake",
    "horizon_of",
    "main_days",
    "open_lake",
    "remove_event",
]
