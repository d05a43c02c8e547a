from .complete_journey import CompleteJourney as CompleteJourney
from .event_log import EventLogFolder as EventLogFolder
from .event_log import name_of as name_of
from .files import Files as Files
from .mysql import DatabaseAddress as DatabaseAddress
from .mysql import ShopDatabase as ShopDatabase
from .s3 import S3Objects as S3Objects

__all__ = [
    "CompleteJourney",
    "DatabaseAddress",
    "EventLogFolder",
    "Files",
    "S3Objects",
    "ShopDatabase",
    "name_of",
]
