"""The greatest memory that this process and all its descendants held at one instant."""

import threading
from types import TracebackType
from typing import Self

import psutil


class PeakMemory:
    """Samples the memory of the whole process tree in a thread, and keeps the maximum.

    On Linux a page shared by several processes counts once (PSS). Elsewhere the resident sizes are added,
    which counts shared pages more than once and so never flatters.
    """

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s = every_s
        self._peak_bytes = 0
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """The peak so far, in MB of 2**20 bytes."""
        return self._peak_bytes / 2**20

    def _watch(self) -> None:
        while True:
            self._peak_bytes = max(self._peak_bytes, tree_bytes(above=self._peak_bytes))
            if self._finished.wait(self._every_s):
                return


def tree_bytes(above: int = 0) -> int:
    """Memory that this process and its descendants hold now, in bytes.

    Args:
        above: Skip the costly count of shared pages, and return 0, where the total cannot exceed this.
    """
    this = psutil.Process()
    tree = [this, *this.children(recursive=True)]
    # Resident sizes are cheap to read, and never smaller than proportional ones.
    if sum(_resident(process) for process in tree) <= above:
        return 0
    return sum(_proportional(process) for process in tree)


def _resident(process: psutil.Process) -> int:
    try:
        size: int = process.memory_info().rss
    except (psutil.Error, OSError):
        return 0
    return size


def _proportional(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
        size: int = getattr(memory, "pss", memory.rss)
    except (psutil.Error, OSError):
        return 0
    return size
