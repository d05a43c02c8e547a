"""When a failed download is tried again: later each time, up to a cap; another version does not wait."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

FIRST_S = 2.0
LONGEST_S = 300.0


class Backoff:
    """Exponential back-off with jitter: the n-th wait is `FIRST_S * 2**n` seconds, at most `LONGEST_S`.

    Each wait is multiplied by a random number between 0.5 and 1, so that many servers do not return together.

    Args:
        clock: Seconds of a clock that never goes back.
        jitter: A random number in [0, 1).
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self.reset()

    def reset(self) -> None:
        """Forget all failures."""
        self.failures = 0
        self.reason: str | None = None
        self.next_at: datetime | None = None
        self._subject: object = None
        self._until = 0.0

    def failed(self, subject: object, reason: str) -> None:
        """Note that the download of `subject` failed."""
        if subject != self._subject:
            self.reset()
        self._subject, self.reason = subject, reason
        wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self.failures, 30)) * (0.5 + 0.5 * self._jitter())
        self.failures += 1
        self._until = self._clock() + wait_s
        self.next_at = datetime.now(UTC) + timedelta(seconds=wait_s)

    def waits_for(self, subject: object) -> bool:
        """Whether `subject` failed and its time has not come yet."""
        return subject == self._subject and self._clock() < self._until
