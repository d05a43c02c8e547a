"""The greatest memory that this process and all its descendants held at one instant."""

import threading
import time
from types import TracebackType
from typing import Self

import psutil

NEW_HIGH = 1.01


class PeakMemory:
    """Samples the memory of the whole process tree in a thread, and keeps the maximum.

    On Linux a page shared by several processes counts once (PSS). Elsewhere the resident sizes are added,
    which counts shared pages more than once and so never flatters.

    Counting shared pages walks all pages of all processes, so it is done where it may find a new peak: when
    the sum of the resident sizes, which is cheap to read, is higher than ever before, and every
    `at_least_every_s` seconds.
    """

    def __init__(self, every_s: float = 1.0, at_least_every_s: float = 10.0) -> None:
        self._every_s = every_s
        self._at_least_every_s = at_least_every_s
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
        highest_resident = 0
        counted_at = -self._at_least_every_s
        while True:
            tree = process_tree()
            resident = sum(_resident(process) for process in tree)
            due = time.monotonic() - counted_at >= self._at_least_every_s
            if due or resident > highest_resident * NEW_HIGH:
                highest_resident = max(highest_resident, resident)
                counted_at = time.monotonic()
                self._peak_bytes = max(self._peak_bytes, sum(_proportional(process) for process in tree))
            if self._finished.wait(self._every_s):
                return


def process_tree() -> list[psutil.Process]:
    """This process and all its descendants."""
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def tree_bytes() -> int:
    """Memory that this process and its descendants hold now, in bytes, shared pages counted once."""
    return sum(_proportional(process) for process in process_tree())


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
