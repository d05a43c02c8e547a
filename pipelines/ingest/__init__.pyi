from .tasks import check_taken as check_taken
from .tasks import take_in as take_in

__all__ = [
    "check_taken",
    "take_in",
]
