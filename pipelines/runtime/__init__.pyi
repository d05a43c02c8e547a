from .concurrency import map_ordered as map_ordered
from .console import Console as Console
from .console import finish as finish
from .console import visible as visible
from .instants import Instant as Instant
from .instants import read_instant as read_instant
from .isolated_process import Limits as Limits
from .isolated_process import run_isolated as run_isolated
from .memory import peak_bytes as peak_bytes
from .stderr import stderr_on_error_only as stderr_on_error_only

__all__ = [
    "Console",
    "Instant",
    "Limits",
    "finish",
    "map_ordered",
    "peak_bytes",
    "read_instant",
    "run_isolated",
    "stderr_on_error_only",
    "visible",
]
