from .document import describe_dataset as describe_dataset
from .document import describe_ranked as describe_ranked
from .document import spelled as spelled
from .page import page_of as page_of
from .page import track as track
from .page import write_page as write_page

__all__ = [
    "describe_dataset",
    "describe_ranked",
    "page_of",
    "spelled",
    "track",
    "write_page",
]
