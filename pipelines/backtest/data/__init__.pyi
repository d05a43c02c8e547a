from .dataset import Dataset as Dataset
from .dataset import read_dataset as read_dataset
from .known import CATALOGUE as CATALOGUE
from .known import known_shop as known_shop

__all__ = [
    "CATALOGUE",
    "Dataset",
    "known_shop",
    "read_dataset",
]
