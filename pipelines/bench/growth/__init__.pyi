from .measuring import kept as kept
from .measuring import measure as measure
from .measuring import sizes as sizes
from .measuring import with_shop as with_shop
from .names import GROWTH_PARTS as GROWTH_PARTS
from .plot import write_plot as write_plot

__all__ = [
    "GROWTH_PARTS",
    "kept",
    "measure",
    "sizes",
    "with_shop",
    "write_plot",
]
