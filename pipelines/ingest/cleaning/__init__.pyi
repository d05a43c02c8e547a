from .clean import Cleaned as Cleaned
from .column_result import as_text as as_text
from .notation import Notation as Notation
from .numbers import DecimalMarks as DecimalMarks
from .times import SECONDS_BELOW as SECONDS_BELOW
from .values import to_list as to_list

__all__ = [
    "SECONDS_BELOW",
    "Cleaned",
    "DecimalMarks",
    "Notation",
    "as_text",
    "to_list",
]
