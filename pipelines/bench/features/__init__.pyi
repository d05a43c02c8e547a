from .sizes import Sizes as Sizes

__all__ = [
    "Sizes",
]
