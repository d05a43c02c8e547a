"""How far each worker's part of the event log is on disk, in memory that all workers share."""

import mmap
import struct
from collections.abc import Mapping

SLOT = struct.Struct("=QQ")
"""Number of the worker's current segment, and bytes of it that are durable."""

NUMBER = struct.Struct("=Q")


class LogProgress:
    """A slot for each worker. Made before the workers are forked; lives as long as one of them.

    Args:
        workers: How many write to the log.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * SLOT.size)

    def __len__(self) -> int:
        return self._workers

    def begun(self, slot: int, segment: int) -> None:
        """Note that the worker writes to another segment from now on."""
        # Size first: whoever reads between the two sees the old segment with nothing new.
        NUMBER.pack_into(self._memory, slot * SLOT.size + NUMBER.size, 0)
        NUMBER.pack_into(self._memory, slot * SLOT.size, segment)

    def committed(self, slot: int, size: int) -> None:
        """Note that so many bytes of the worker's segment are durable."""
        NUMBER.pack_into(self._memory, slot * SLOT.size + NUMBER.size, size)

    def segment_of(self, slot: int) -> int:
        """Number of the worker's segment, 0 before its first."""
        number, _ = SLOT.unpack_from(self._memory, slot * SLOT.size)
        return int(number)

    def snapshot(self) -> bytes:
        """All slots as they are now; equal snapshots mean that nobody wrote in between."""
        return self._memory[:]


def durable_bytes(snapshot: bytes) -> Mapping[int, int]:
    """By segment that a worker writes to, its bytes that are durable."""
    return {number: size for number, size in SLOT.iter_unpack(snapshot) if number}
