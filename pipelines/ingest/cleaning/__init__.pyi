from .clean import Cleaned as Cleaned
from .times import SECONDS_BELOW as SECONDS_BELOW
from .values import to_list as to_list

__all__ = [
    "SECONDS_BELOW",
    "Cleaned",
    "to_list",
]
