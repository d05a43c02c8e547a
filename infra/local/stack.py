"""A stack: services that live and die together."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from infra.local.errors import ServiceError, StackBusyError
from infra.local.leftovers import end_leftovers, mark_of
from infra.local.services import Running, Service

STOP_GRACE_S = 12.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stack:
    """Services of one folder, started together; leaving the `with` block ends every process of them.

    Args:
        home: Folder of the stack; one stack at a time may run in it.
        logs: Folder of the services' logs; default ``<home>/logs``.

    Raises:
        StackBusyError: On entering, when another process runs a stack in `home`.
    """

    def __init__(self, home: Path, logs: Path | None = None) -> None:
        self.home = home
        self.logs = logs or home / "logs"
        self._running: dict[str, Running] = {}
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_folder(self.home)
        # What an earlier run left because it was killed without a chance to clean up.
        end_leftovers(self.home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._lock is not None:
            self._lock.close()

    def start(self, *services: Service) -> None:
        """Start services without waiting for them."""
        for service in services:
            self._running[service.name] = Running.start(service, self.logs, mark_of(self.home))

    def wait_until_healthy(self, *names: str, on_wait: Callable[[str], None] | None = None) -> None:
        """Wait until the named services (default: all) are healthy.

        Raises:
            ServiceError: When one ends or passes its limit first; the message shows its last log lines.
        """
        started = time.monotonic()
        waiting = [self._running[name] for name in names or self._running]
        while waiting:
            waiting = [one for one in waiting if not one.service.is_healthy()]
            for one in waiting:
                self.check()
                if time.monotonic() - started > one.service.limit_s:
                    raise ServiceError(
                        f"{one.service.name} was not healthy within {one.service.limit_s:.0f} s; "
                        f"the end of {one.log}:\n{one.last_lines()}"
                    )
            if waiting:
                if on_wait is not None:
                    on_wait(", ".join(one.service.name for one in waiting))
                time.sleep(0.2)

    def check(self) -> None:
        """Raise ServiceError if a service has ended by itself."""
        for one in self._running.values():
            if one.exit_code is not None:
                raise ServiceError(
                    f"{one.service.name} ended with exit code {one.exit_code}; "
                    f"the end of {one.log}:\n{one.last_lines()}"
                )

    def stop(self, *names: str) -> None:
        """End the named services (default: all, and every process that descends from them)."""
        with _signals_ignored():
            for name in names or reversed(list(self._running)):
                _end_group(self._running[name])
            deadline = time.monotonic() + STOP_GRACE_S
            for name in names or list(self._running):
                _wait_or_kill(self._running.pop(name), deadline)
            if not names:
                end_leftovers(self.home)


def _lock_folder(home: Path) -> IO[str]:
    lock = (home / "stack.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise StackBusyError(
            f"{home} is in use by process {owner}: stop that one with Ctrl-C, or choose another folder"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _end_group(one: Running) -> None:
    with suppress(ProcessLookupError):
        os.killpg(one.process.pid, signal.SIGTERM)


def _wait_or_kill(one: Running, deadline: float) -> None:
    while one.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(one.process.pid, signal.SIGKILL)
    one.process.wait(timeout=10)


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Let no Ctrl-C or SIGTERM interrupt the clean-up; it takes seconds and ends by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
