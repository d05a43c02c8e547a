"""Finding and ending every process of a stack, also those without a parent or in a group of their own.

Every process of a stack carries the mark ``AISLE_STACK=<folder>`` in its environment. Children inherit it, so
that a training step in a session of its own is found like any other, even after its parent was killed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "AISLE_STACK"


def mark_of(home: Path) -> dict[str, str]:
    """The environment that marks processes of the stack in `home`.

    ``SPT_NOENV`` keeps `setproctitle`, which Airflow uses, from overwriting the environment that we look at.
    """
    return {MARK: str(home.resolve()), "SPT_NOENV": "1"}


def marked_processes(home: Path) -> list[psutil.Process]:
    """Every living process, this one left out, that belongs to the stack in `home`."""
    wanted = str(home.resolve())
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _mark_read(process) == wanted and is_alive(process)
    ]


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def end_all(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Ask the processes to end, and kill those that still run after `grace_s` seconds."""
    asked = list(processes)
    for process in asked:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(asked, timeout=grace_s)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=5)


def end_leftovers(home: Path, grace_s: float = 3.0) -> int:
    """End every process of the stack in `home`, also those born meanwhile; returns how many there were."""
    ended: set[int] = set()
    for _ in range(20):
        found = marked_processes(home)
        if not found:
            break
        ended.update(process.pid for process in found)
        end_all(found, grace_s)
    return len(ended)


def _mark_read(process: psutil.Process) -> str | None:
    try:
        mark: str | None = process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
    return mark


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:
        pass
