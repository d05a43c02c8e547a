from .document import describe_searched as describe_searched
from .judgments import read_judged as read_judged
from .page import searched_page as searched_page
from .rankings import RANKINGS as RANKINGS
from .rankings import run_searched as run_searched

__all__ = [
    "RANKINGS",
    "describe_searched",
    "read_judged",
    "run_searched",
    "searched_page",
]
