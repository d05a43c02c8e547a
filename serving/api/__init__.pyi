from .middleware import RequestMiddleware as RequestMiddleware
from .requests import EventIn as EventIn
from .requests import FiltersIn as FiltersIn
from .requests import RecommendationsIn as RecommendationsIn
from .requests import RejectedEvent as RejectedEvent
from .requests import SearchIn as SearchIn
from .requests import is_plausible as is_plausible

__all__ = [
    "EventIn",
    "FiltersIn",
    "RecommendationsIn",
    "RejectedEvent",
    "RequestMiddleware",
    "SearchIn",
    "is_plausible",
]
