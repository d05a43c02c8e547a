from .shoppers import Shoppers as Shoppers

__all__ = [
    "Shoppers",
]
