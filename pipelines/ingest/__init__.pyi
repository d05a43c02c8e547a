from .tasks import take_in as take_in

__all__ = [
    "take_in",
]
