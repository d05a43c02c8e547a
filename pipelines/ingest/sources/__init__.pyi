from .complete_journey import CompleteJourney as CompleteJourney
from .csv_file import read_csv as read_csv
from .event_log import EventLogFolder as EventLogFolder
from .event_log import name_of as name_of
from .files import Files as Files
from .json_file import frame_of_objects as frame_of_objects
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
    "frame_of_objects",
    "name_of",
    "read_csv",
]
