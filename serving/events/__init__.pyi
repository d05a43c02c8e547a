from .folders import announce_log as announce_log
from .folders import announced_logs as announced_logs
from .follower import LogFollower as LogFollower
from .intake import EventIntake as EventIntake
from .log import EventLog as EventLog
from .log import own_folder as own_folder
from .log import read_events as read_events
from .log import segments as segments
from .progress import LogProgress as LogProgress
from .schema import EARLIEST as EARLIEST
from .schema import EVENT_TYPES as EVENT_TYPES
from .schema import FLOAT_ID as FLOAT_ID
from .schema import HIGHEST_POSITION as HIGHEST_POSITION
from .schema import HIGHEST_PRICE as HIGHEST_PRICE
from .schema import HIGHEST_QUANTITY as HIGHEST_QUANTITY
from .schema import HIGHEST_RATING as HIGHEST_RATING
from .schema import IDENTIFIER as IDENTIFIER
from .schema import LONGEST_ID as LONGEST_ID
from .schema import NO_VALUE as NO_VALUE
from .schema import ROUNDED_ID as ROUNDED_ID
from .schema import Event as Event
from .schema import RejectedEvent as RejectedEvent
from .schema import canonical_id as canonical_id
from .schema import is_plausible as is_plausible
from .schema import whole_number_id as whole_number_id

__all__ = [
    "EARLIEST",
    "EVENT_TYPES",
    "FLOAT_ID",
    "HIGHEST_POSITION",
    "HIGHEST_PRICE",
    "HIGHEST_QUANTITY",
    "HIGHEST_RATING",
    "IDENTIFIER",
    "LONGEST_ID",
    "NO_VALUE",
    "ROUNDED_ID",
    "Event",
    "EventIntake",
    "EventLog",
    "LogFollower",
    "LogProgress",
    "RejectedEvent",
    "announce_log",
    "announced_logs",
    "canonical_id",
    "is_plausible",
    "own_folder",
    "read_events",
    "segments",
    "whole_number_id",
]
