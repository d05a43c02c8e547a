"""The durable log of shop events: what is acknowledged is on disk, also after `kill -9`.

One JSON object a line, in segments `segment-<number>-<UTC start>.jsonl` that are only ever appended to.
Batches that arrive while the disk is busy are written and synced together (group commit), so one sync serves
many requests. A line that a crash tore is cut off at the next start: nobody was told that it was kept.
"""

import fcntl
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from serving.errors import EventLogError
from serving.events.progress import LogProgress

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
"""One event with the columns of the event contract; absent values are None."""

SEGMENT_NAME = re.compile(r"segment-(\d{8})-\d{8}T\d{6}\.jsonl")

SEGMENT_BYTES = 64 * 1024 * 1024
"""Size past which the next batch opens a new segment."""

LARGEST_COMMIT = 4096
"""Events that one sync makes durable at most."""


@dataclass(slots=True)
class _Batch:
    lines: bytes
    events: int
    done: "Future[None]" = field(default_factory=Future)


class EventLog:
    """Appends events durably, from any number of threads.

    One process owns a folder at a time; a lock file says so. Workers of one pool share it: their parent owns
    the folder (`own_folder`), and each appends to segments of its own.

    Args:
        folder: Where the segments lie; created when missing.
        segment_bytes: Size past which the next batch opens a new segment.
        on_commit: Called after every sync with the seconds that it took.
        on_fault: Called when the disk refused a group of events.
        shared: Where workers of a pool tell each other how far they are, and this one's number; None for a
            process that has the folder for itself.

    Raises:
        EventLogError: Another process owns the folder, or it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int = SEGMENT_BYTES,
        on_commit: Callable[[float], None] | None = None,
        on_fault: Callable[[], None] | None = None,
        shared: tuple[LogProgress, int] | None = None,
    ) -> None:
        self._folder = folder
        self._shared = shared
        self.own_segments: set[int] = set()
        """Numbers of the segments that this log began."""
        self._segment_bytes = segment_bytes
        self._on_commit = on_commit
        self._on_fault = on_fault
        self._lock = own_folder(folder) if shared is None else None
        self._segment: IO[bytes] | None = None
        self._size = 0
        self._fault: str | None = None
        self._closing = False
        self._handing_over = threading.Lock()
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_batches, name="event-log", daemon=True)
        self._writer.start()

    @property
    def fault(self) -> str | None:
        """Why the last batch could not be made durable, or None when it could."""
        return self._fault

    def append(self, events: Sequence[Event]) -> "Future[None]":
        """Hand `events` over; the result is there once they are on disk.

        The future raises `EventLogError` when they could not be kept; none of them is in the log then.
        """
        lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
        batch = _Batch(lines, len(events))
        with self._handing_over:
            if self._closing:
                batch.done.set_exception(EventLogError("The process is stopping. Send the events again."))
            else:
                self._batches.put(batch)
        return batch.done

    def close(self) -> None:
        """Write what was handed over, then let the folder go."""
        with self._handing_over:
            if not self._closing:
                self._closing = True
                self._batches.put(None)
        self._writer.join()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write_batches(self) -> None:
        """Take all that waits, make it durable with one sync, and tell those who wait."""
        last = False
        while not last:
            batches, last = self._take()
            if not batches:
                continue
            started = time.perf_counter()
            try:
                self._commit(b"".join(batch.lines for batch in batches))
            except OSError as error:
                self._give_up(batches, error)
            else:
                self._fault = None
                if self._on_commit is not None:
                    self._on_commit(time.perf_counter() - started)
                for batch in batches:
                    batch.done.set_result(None)

    def _take(self) -> tuple[list[_Batch], bool]:
        """Wait for a batch, take those that queue behind it, and say whether they are the last ones.

        A batch whose caller has gone away meanwhile is left out: nobody will be told that it was kept.
        """
        batches: list[_Batch] = []
        batch = self._batches.get()
        while batch is not None:
            if batch.done.set_running_or_notify_cancel():
                batches.append(batch)
            if self._batches.empty() or sum(taken.events for taken in batches) >= LARGEST_COMMIT:
                return batches, False
            batch = self._batches.get()
        return batches, True

    def _commit(self, lines: bytes) -> None:
        segment = self._open_segment()
        rest = memoryview(lines)
        while rest:
            rest = rest[segment.write(rest) :]
        os.fdatasync(segment.fileno())
        self._size += len(lines)
        if self._shared is not None:
            progress, slot = self._shared
            progress.committed(slot, self._size)

    def _give_up(self, batches: Sequence[_Batch], error: OSError) -> None:
        """Cut off what may have been written, leave the segment, and say so to those who wait.

        After a failed sync nobody knows what the kernel kept, so the segment is not used again.
        """
        self._fault = f"{type(error).__name__}: {error}"
        logger.error("events could not be made durable: %s", self._fault)
        if self._on_fault is not None:
            self._on_fault()
        if self._segment is not None:
            segment, self._segment = self._segment, None
            try:
                os.ftruncate(segment.fileno(), self._size)
                os.fsync(segment.fileno())
            except OSError:
                logger.exception("the end of %s could not be cut off", segment.name)
            segment.close()
        for batch in batches:
            batch.done.set_exception(
                EventLogError(
                    f"The events are not kept, the disk refused them ({error}). Send them again later."
                )
            )

    def _open_segment(self) -> IO[bytes]:
        if self._segment is not None and self._size < self._segment_bytes:
            return self._segment
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        with _numbering(self._folder):
            taken = segments(self._folder)
            # The number orders segments also when the clock was set back; the start keeps names apart.
            number = max((number_of(path) for path in taken), default=0) + 1
            path = self._folder / f"segment-{number:08d}-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl"
            # Unbuffered: a batch that failed must not come back with the next flush.
            self._segment, self._size = path.open("xb", buffering=0), 0
        self.own_segments.add(number)
        if self._shared is not None:
            progress, slot = self._shared
            # A worker that was killed may have written what it could not sync any more.
            for left in taken:
                if number_of(left) == progress.segment_of(slot):
                    _sync(left)
            progress.begun(slot, number)
        _sync(self._folder)
        return self._segment


def segments(folder: Path) -> list[Path]:
    """The log's segments in `folder`, oldest first."""
    return sorted(path for path in folder.glob("segment-*.jsonl") if SEGMENT_NAME.fullmatch(path.name))


def number_of(segment: Path) -> int:
    """The number in a segment's name."""
    return int(segment.name.split("-")[1])


def read_events(folder: Path, newest_bytes: int | None = None) -> Iterator[dict[str, Any]]:
    """Every whole event of the log in the order of arrival; a torn last line is left out.

    Args:
        folder: The log's folder.
        newest_bytes: Read only the newest segments, as many as hold this much together; None reads all.
    """
    for path in _newest(segments(folder), newest_bytes):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    event = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    logger.warning("%s line %d is no event and is left out", path.name, number)
                    continue
                if isinstance(event, dict):
                    yield event


def _newest(paths: Sequence[Path], newest_bytes: int | None) -> list[Path]:
    taken: list[Path] = []
    size = 0
    for path in reversed(paths):
        if newest_bytes is not None and size >= newest_bytes:
            break
        taken.append(path)
        size += path.stat().st_size
    return taken[::-1]


def repair(folder: Path) -> None:
    """Cut a line that a crash tore off the end of each segment; it was never acknowledged."""
    for path in segments(folder):
        with path.open("rb+") as segment:
            size = segment.seek(0, os.SEEK_END)
            keep = _end_of_last_line(segment, size)
            if keep < size:
                logger.warning("%s ends in a torn line of %d bytes, cut off", path.name, size - keep)
                segment.truncate(keep)
                os.fsync(segment.fileno())


def _end_of_last_line(segment: IO[bytes], size: int, block: int = 1 << 16) -> int:
    end = size
    while end > 0:
        start = max(0, end - block)
        segment.seek(start)
        found = segment.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def own_folder(folder: Path) -> IO[bytes]:
    """Own the log's folder until the result is closed, or the last process that inherited it ends.

    Lines that a crash tore are cut off first.

    Raises:
        EventLogError: Another process owns the folder, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _own(folder)
        repair(folder)
    except OSError as error:
        raise EventLogError(
            f"The event log needs a folder that it can write, received {folder}: {error}. "
            "Give the process write access or set AISLE_SERVING_EVENT_LOG."
        ) from error
    return lock


def _own(folder: Path) -> IO[bytes]:
    lock = (folder / ".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise EventLogError(
            f"{folder} belongs to another serving process that is running. Stop that one, or give this one a "
            "folder of its own with AISLE_SERVING_EVENT_LOG."
        ) from error
    return lock


@contextmanager
def _numbering(folder: Path) -> Iterator[None]:
    """Let one process at a time take a segment's number."""
    with (folder / ".numbering").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
