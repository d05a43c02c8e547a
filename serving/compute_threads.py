"""Threads that compute lists, with a limit on how many requests may wait for one."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.errors import OverloadedError

T = TypeVar("T")


class Workers:
    """Runs work beside the event loop; refuses at once what would wait too long.

    Args:
        threads: Threads that compute.
        max_waiting: Requests that may wait for one of them.
        on_wait: Called with the seconds that a piece of work waited.
    """

    def __init__(
        self, threads: int, max_waiting: int, on_wait: Callable[[float], None] | None = None
    ) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="lists")
        self._places = threads + max_waiting
        self._taken = 0
        self._lock = threading.Lock()
        self._on_wait = on_wait

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, computed in one of the threads.

        Raises:
            OverloadedError: As many requests as may are waiting already.
        """
        with self._lock:
            if self._taken >= self._places:
                raise OverloadedError(
                    f"{self._places} requests are being answered or waiting, and no more may wait. "
                    "Send the request again in a second."
                )
            self._taken += 1
        arrived = time.perf_counter()

        def in_turn() -> T:
            try:
                if self._on_wait is not None:
                    self._on_wait(time.perf_counter() - arrived)
                return work()
            finally:
                with self._lock:
                    self._taken -= 1

        # Not cancelled with the request: the place is given back when the work ends, never before.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._pool, in_turn))

    def stop(self) -> None:
        """Let the threads end; work that waits is still done."""
        self._pool.shutdown(wait=True)
