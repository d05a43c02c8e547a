"""Columns of a long answer: the first in memory, what goes beyond in a file that is mapped into it."""

import mmap
import tempfile
from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from pipelines.errors import FeatureError

MEMORY_BYTES = 16 * 2**20
"""What the columns of one answer may hold in memory; a training set can be larger than it is."""


class KeptColumns:
    """Takes columns part by part, and gives each as one column.

    The file has no name and is gone with the last column that lies in it. The system keeps its pages in
    memory while there is room, and drops them when there is not.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._left = memory_bytes
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "KeptColumns":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # what is mapped stays

    def keep(self, parts: Iterator[pa.Array]) -> pa.ChunkedArray:
        """Return a column of these parts, at least one.

        Raises:
            FeatureError: There is no room for the file.
        """
        held: list[pa.Array] = []
        for part in parts:
            held.append(part)
            self._left -= part.nbytes
            if self._left < 0:
                try:
                    return self._in_file(held, parts)
                except OSError as error:
                    raise FeatureError(
                        f"expected room for a long answer in {tempfile.gettempdir()}, received {error}: make "
                        "room there, or name another folder by TMPDIR"
                    ) from error
        return pa.chunked_array(held)

    def _in_file(self, held: list[pa.Array], parts: Iterator[pa.Array]) -> pa.ChunkedArray:
        self._left += sum(part.nbytes for part in held)
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="aisle-answer-")  # noqa: SIM115 - closed when the block ends
        start = -(-self._file.seek(0, 2) // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        self._file.seek(start)
        schema = pa.schema([pa.field("column", held[0].type)])
        with pa.ipc.new_stream(self._file, schema) as stream:
            while held:
                stream.write_batch(pa.record_batch([held.pop(0)], schema))
            for part in parts:
                stream.write_batch(pa.record_batch([part], schema))
        self._file.flush()
        length = self._file.tell() - start
        mapped = mmap.mmap(self._file.fileno(), length, prot=mmap.PROT_READ, offset=start)
        return pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()["column"]
