"""The shop's clock: the machine's own, or one that started at a given instant when the process did."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time of the shop, in UTC.

    Args:
        start_at: Instant at which the clock starts; None follows the machine's clock.
        monotonic: Seconds that only ever grow; passed in by tests.
    """

    def __init__(
        self, start_at: datetime | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._start_at = start_at
        self._monotonic = monotonic
        self._started = monotonic()

    def now(self) -> datetime:
        """The shop's present instant."""
        if self._start_at is None:
            return datetime.now(UTC)
        return self._start_at + timedelta(seconds=self._monotonic() - self._started)
