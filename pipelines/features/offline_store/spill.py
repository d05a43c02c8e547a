"""Columns of a long answer: the first in memory, what goes beyond in files that are mapped into it."""

import mmap
import tempfile
import threading
from collections.abc import Iterator

import pyarrow as pa

from pipelines.errors import FeatureError

MEMORY_BYTES = 16 * 2**20
"""What the columns of one answer may hold in memory; a training set can be larger than it is."""


class SpilledColumns:
    """Takes columns part by part, several at a time, and gives each as one column.

    A file has no name and is gone with the column that lies in it. The system keeps its pages in memory while
    there is room, and drops them when there is not.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._left = memory_bytes
        self._counting = threading.Lock()

    def keep(self, parts: Iterator[pa.Array]) -> pa.ChunkedArray:
        """Return a column of these parts, at least one.

        Raises:
            FeatureError: There is no room for the file.
        """
        held: list[pa.Array] = []
        for part in parts:
            held.append(part)
            if not self._fits(part.nbytes):
                try:
                    return self._in_file(held, parts)
                except OSError as error:
                    raise FeatureError(
                        f"expected room for a long answer in {tempfile.gettempdir()}, received {error}: make "
                        "room there, or name another folder by TMPDIR"
                    ) from error
        return pa.chunked_array(held)

    def _fits(self, more_bytes: int) -> bool:
        with self._counting:
            self._left -= more_bytes
            return self._left >= 0

    def _in_file(self, held: list[pa.Array], parts: Iterator[pa.Array]) -> pa.ChunkedArray:
        self._fits(-sum(part.nbytes for part in held))
        schema = pa.schema([pa.field("column", held[0].type)])
        with tempfile.TemporaryFile(prefix="aisle-answer-") as file:
            with pa.ipc.new_stream(file, schema) as stream:
                while held:
                    stream.write_batch(pa.record_batch([held.pop(0)], schema))
                for part in parts:
                    stream.write_batch(pa.record_batch([part], schema))
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        column = pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()["column"]
        mapped.madvise(mmap.MADV_DONTNEED)  # to find its parts has brought pages around them into memory
        return column
