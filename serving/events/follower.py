"""Following the segments of other workers: what one acknowledges, the others know before their next list."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from serving.events.log import EventLog, number_of, segments
from serving.events.progress import LogProgress, durable_bytes

logger = logging.getLogger(__name__)

FOLLOW_S = 0.02
"""Seconds between two looks at the others' progress, where no request looks sooner."""


class LogFollower:
    """Reads what other workers made durable, each event once and never before it is durable.

    Args:
        folder: The log's folder.
        log: This worker's own part, which is left out.
        progress: How far everybody's is on disk.
        learn: Called with the events that are new; from one thread at a time.
    """

    def __init__(
        self,
        folder: Path,
        log: EventLog,
        progress: LogProgress,
        learn: Callable[[Sequence[dict[str, Any]]], None],
    ) -> None:
        self._folder = folder
        self._log = log
        self._progress = progress
        self._learn = learn
        self._seen = b""
        self._positions: dict[Path, int] = {}
        self._reading = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-events", daemon=True)

    def restore(self, newest_bytes: int) -> None:
        """Learn the newest segments, as many as hold this much together, and leave out all older ones."""
        snapshot = self._progress.snapshot()
        durable = durable_bytes(snapshot)
        with self._reading:
            taken = 0
            for path in reversed(segments(self._folder)):
                size = durable.get(number_of(path), path.stat().st_size)
                self._positions[path] = size if taken >= newest_bytes else 0
                taken += size
            for path, position in sorted(self._positions.items()):
                if position == 0:
                    self._read(path, durable.get(number_of(path)))
            self._seen = snapshot

    def start(self) -> None:
        """Follow from a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End following."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2)

    @property
    def is_behind(self) -> bool:
        """Whether somebody made events durable that were not learned yet."""
        return self._progress.snapshot() != self._seen

    def catch_up(self) -> None:
        """Learn everything that was durable when this was called."""
        if not self.is_behind:
            return
        with self._reading:
            snapshot = self._progress.snapshot()
            if snapshot == self._seen:
                return
            before, durable = durable_bytes(self._seen), durable_bytes(snapshot)
            if before.keys() != durable.keys():
                # Somebody began a segment: what lay between, and what nobody writes to any more, to its end.
                for path in segments(self._folder):
                    number = number_of(path)
                    if path not in self._positions or (number in before and number not in durable):
                        self._positions.setdefault(path, 0)
                        self._read(path, durable.get(number))
            for path in tuple(self._positions):
                if (size := durable.get(number_of(path))) is not None:
                    self._read(path, size)
            self._seen = snapshot

    def _read(self, path: Path, durable: int | None) -> None:
        """Learn the whole lines from where reading stopped up to `durable`, or the end."""
        position = self._positions[path]
        if number_of(path) in self._log.own_segments or (durable is not None and durable <= position):
            return
        with path.open("rb") as segment:
            segment.seek(position)
            content = segment.read() if durable is None else segment.read(durable - position)
        content = content[: content.rfind(b"\n") + 1]
        self._positions[path] = position + len(content)
        events = []
        for line in content.splitlines():
            try:
                event = msgspec.json.decode(line)
            except msgspec.DecodeError:
                logger.warning("%s holds a line that is no event; it is left out", path.name)
                continue
            if isinstance(event, dict):
                events.append(event)
        if events:
            self._learn(events)

    def _follow(self) -> None:
        while not self._stopping.wait(FOLLOW_S):
            try:
                self.catch_up()
            except OSError:
                logger.exception("the events of other workers could not be read")
