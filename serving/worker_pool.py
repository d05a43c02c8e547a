"""Worker processes behind one address: started, watched and replaced by one parent.

The parent imports everything once and forks, so that a replacement answers within a fraction of a second and
code lies in memory once. It holds the listening socket: what arrives while a worker dies waits for another.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serving.errors import ConfigurationError

logger = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that wait for a worker to accept them."""

QUICK_DEATH_S = 1.0
"""A worker that dies sooner after its start is replaced after as long a pause, so that nothing spins."""

WATCH_S = 0.2
"""Most seconds between two looks at the workers; a death is noticed at once."""

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in which prometheus_client adds up what the workers count."""

Serve = Callable[[int, socket.socket, Callable[[], None]], int]
"""Runs one worker to its end: its number from 0, the listening socket, what to call once it listens. Returns
its exit status."""


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
            found.setblocking(False)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"AISLE_SERVING_HOST and AISLE_SERVING_PORT: expected an address to listen on, received "
            f"{host!r} and {port}: {error}. Stop the program that listens there, or choose another port."
        ) from error
    return found


@contextlib.contextmanager
def shared_metrics() -> Iterator[None]:
    """Let the workers' counters add up while the block runs; comes before prometheus_client is imported."""
    with tempfile.TemporaryDirectory(prefix="aisle-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        try:
            yield
        finally:
            os.environ.pop(METRICS_FOLDER, None)


class WorkerPool:
    """The parent of the workers.

    Args:
        workers: How many answer.
        listening: The socket whose connections they share.
        serve: What a worker does.
        on_listening: Called once, when the first worker listens.
        grace_s: Seconds that workers have to stop in.
    """

    def __init__(
        self,
        workers: int,
        listening: socket.socket,
        serve: Serve,
        on_listening: Callable[[], None],
        grace_s: float,
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._on_listening = on_listening
        self._grace_s = grace_s
        self._started_at = dict.fromkeys(range(workers), 0.0)
        self._numbers: dict[int, int] = {}
        self._stopping = False
        self._announced = False

    def run(self) -> int:
        """Keep all workers running until a signal says to stop; the exit status."""
        # The write end stays open as long as this process lives: its end is how a worker learns of it.
        self._alive, self._held_open = os.pipe()
        self._said, self._says = os.pipe()
        os.set_blocking(self._said, False)
        wakes, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(wakes, False)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in self._started_at:
            self._start(number)
        while not self._stopping:
            select.select([wakes, self._said], [], [], WATCH_S)
            with contextlib.suppress(BlockingIOError):
                os.read(wakes, 4096)
            self._announce()
            for pid, status in self._ended():
                number = self._numbers.pop(pid)
                if not self._announced and os.WIFEXITED(status):
                    # It could not even start, and says why itself: another one would not either.
                    self._end_all()
                    return os.WEXITSTATUS(status)
                logger.error("worker %d (process %d) ended by %s and is replaced", number, pid, _how(status))
                if time.monotonic() - self._started_at[number] < QUICK_DEATH_S:
                    time.sleep(QUICK_DEATH_S)
                self._start(number)
        self._end_all()
        return 0

    def _start(self, number: int) -> None:
        self._started_at[number] = time.monotonic()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            self._numbers[pid] = number
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(one, signal.SIG_DFL)
            os.close(self._held_open)
            threading.Thread(target=_die_with_parent, args=(self._alive,), daemon=True).start()
            status = self._serve(number, self._listening, self._say_listening)
        except BaseException:
            logger.exception("worker %d failed", number)
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _say_listening(self) -> None:
        os.write(self._says, b"1")

    def _announce(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(self._said, 4096) and not self._announced:
                self._announced = True
                self._on_listening()

    def _ended(self) -> list[tuple[int, int]]:
        found = []
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                _forget_gauges_of(pid)
                if pid in self._numbers:
                    found.append((pid, status))
        return found

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _end_all(self) -> None:
        """Tell the workers to stop, and end those that do not."""
        self._signal_all(signal.SIGTERM)
        until = time.monotonic() + self._grace_s
        while self._numbers and time.monotonic() < until:
            for pid, _ in self._ended():
                del self._numbers[pid]
            time.sleep(0.02)
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, kind: signal.Signals) -> None:
        for pid in self._numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)


def _die_with_parent(alive: int) -> None:
    """Wait for the parent's end, and end at once: acknowledged events are on disk already."""
    with contextlib.suppress(OSError):
        os.read(alive, 1)
    os._exit(1)


def _forget_gauges_of(pid: int) -> None:
    """What a dead worker counted still counts; what it showed of its present does not."""
    folder = os.environ.get(METRICS_FOLDER)
    if folder is not None:
        for path in Path(folder).glob(f"gauge_live*_{pid}.db"):
            path.unlink(missing_ok=True)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit status {os.WEXITSTATUS(status)}"
