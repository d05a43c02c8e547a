from .home import Size as Size
from .measuring import FULL as FULL
from .measuring import QUICK as QUICK
from .measuring import measure as measure

__all__ = ["FULL", "QUICK", "Size", "measure"]
