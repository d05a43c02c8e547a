from .duckdb import duckdb_engine as duckdb_engine
from .select import Connect as Connect
from .select import Engine as Engine
from .select import Keep as Keep
from .select import engine_of as engine_of

__all__ = [
    "Connect",
    "Engine",
    "Keep",
    "duckdb_engine",
    "engine_of",
]
