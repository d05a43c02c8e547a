from .catalog import catalogue as catalogue
from .catalog import find_entry as find_entry
from .distribution import drawn as drawn
from .freshness import freshness_metrics as freshness_metrics

__all__ = [
    "catalogue",
    "drawn",
    "find_entry",
    "freshness_metrics",
]
