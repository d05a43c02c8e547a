from .recent_events import RecentEvents as RecentEvents

__all__ = [
    "RecentEvents",
]
