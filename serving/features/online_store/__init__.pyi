from .redis_url import feast_connection as feast_connection
from .rows import quoted as quoted
from .rows import upsert as upsert
from .sqlite import LOCK_SECONDS as LOCK_SECONDS
from .sqlite import SqliteRowOnlineStoreConfig as SqliteRowOnlineStoreConfig
from .sqlite import path_of as path_of
from .sqlite import table_of as table_of

__all__ = [
    "LOCK_SECONDS",
    "SqliteRowOnlineStoreConfig",
    "feast_connection",
    "path_of",
    "quoted",
    "table_of",
    "upsert",
]
