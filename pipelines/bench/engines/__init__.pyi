from .plot import draw_engines as draw_engines
from .plot import table_of as table_of

__all__ = [
    "draw_engines",
    "table_of",
]
