from .cross_validate import probe_ratings as probe_ratings
from .cross_validate import run_rated as run_rated
from .document import describe_rated as describe_rated
from .page import rated_page as rated_page

__all__ = [
    "describe_rated",
    "probe_ratings",
    "rated_page",
    "run_rated",
]
