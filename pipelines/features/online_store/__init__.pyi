from .columns import encoded as encoded
from .lookup import get_online as get_online
from .materialize import EVER as EVER
from .materialize import MaterializeReport as MaterializeReport
from .sqlite_writer import one_generation as one_generation

__all__ = [
    "EVER",
    "MaterializeReport",
    "encoded",
    "get_online",
    "one_generation",
]
