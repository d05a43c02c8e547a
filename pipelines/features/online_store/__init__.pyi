from .columns import encoded as encoded
from .lookup import get_online as get_online
from .materialize import EVER as EVER
from .materialize import MaterializeReport as MaterializeReport

__all__ = [
    "EVER",
    "MaterializeReport",
    "encoded",
    "get_online",
]
