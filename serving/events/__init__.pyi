from .intake import EventIntake as EventIntake
from .log import EventLog as EventLog
from .log import read_events as read_events

__all__ = [
    "EventIntake",
    "EventLog",
    "read_events",
]
