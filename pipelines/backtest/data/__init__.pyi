from .dataset import Dataset as Dataset
from .dataset import read_dataset as read_dataset
from .known import CATALOGUE as CATALOGUE
from .known import known_shop as known_shop
from .read import read_file as read_file
from .read import refuse_repeated as refuse_repeated
from .schema import ITEMS as ITEMS
from .schema import Column as Column

__all__ = [
    "CATALOGUE",
    "ITEMS",
    "Column",
    "Dataset",
    "known_shop",
    "read_dataset",
    "read_file",
    "refuse_repeated",
]
