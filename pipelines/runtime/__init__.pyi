from .concurrency import map_ordered as map_ordered
from .console import Console as Console
from .console import finish as finish
from .isolated_process import run_in_own_process as run_in_own_process
from .memory import peak_bytes as peak_bytes
from .stderr import stderr_on_error_only as stderr_on_error_only

__all__ = [
    "Console",
    "finish",
    "map_ordered",
    "peak_bytes",
    "run_in_own_process",
    "stderr_on_error_only",
]
