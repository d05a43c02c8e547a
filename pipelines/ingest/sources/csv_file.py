"""Reading one CSV file: every value as the text that was written, and lines that fit no row set apart."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from pipelines.errors import IngestError

AT_ONCE = 500_000
"""Rows that are held and cleaned at a time."""

BLOCK_BYTES = 16 * 1024 * 1024
SEPARATORS = (",", ";", "\t", "|")
NOTHING_BELOW_THE_HEADER = ("Empty CSV file", "Could not skip initial")
OTHER_KINDS = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip or Excel file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file (expected to end in .gz)",
    b"\x89PNG": "a picture",
    b"SQLite format 3": "an SQLite database",
}
OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class CsvPiece:
    """Some rows of a CSV file, all columns text, and the lines between them that are no rows."""

    rows: pl.DataFrame
    broken_lines: tuple[str, ...]
    separator: str

    @property
    def ends_in_open_quote(self) -> bool:
        """Whether the last value runs over lines, as it does when a quotation mark is never closed."""
        if self.broken_lines and "\n" in self.broken_lines[-1].rstrip("\n"):
            return True
        return self.rows.height > 0 and "\n" in str(self.rows[-1, -1])


def read_csv(path: Path, shown: str, encoding: str = "utf-8") -> Iterator[CsvPiece]:
    """The file's rows in pieces; one empty piece when there is a header alone.

    The separator is found in the header: comma, semicolon, tab or bar. A byte order mark is skipped.

    Raises:
        IngestError: The file is empty, is no text, or is in another encoding.
    """
    try:
        even_quotes = _check_text(path, shown, encoding)
        last = None
        for last in _read(path, shown, encoding):
            yield last
        if not even_quotes and last is not None and last.ends_in_open_quote:
            raise IngestError(
                f"{shown}: expected every quotation mark to be closed, received one open until the end of "
                "the file, so that many lines read as one value. Close it, or double it within a value."
            )
    except (pa.ArrowException, OSError, EOFError) as error:
        raise IngestError(
            f"{shown}: expected a CSV file, received something that cannot be read as one "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Write the file anew."
        ) from error


def _read(path: Path, shown: str, encoding: str) -> Iterator[CsvPiece]:
    names, separator, lines_before = _header(path, shown, encoding)
    broken: list[str] = []

    def set_apart(line: pacsv.InvalidRow) -> str:
        broken.append(line.text)
        return "skip"

    with pa.input_stream(str(path)) as stream:
        try:
            reader = pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(
                    column_names=names, skip_rows=lines_before, encoding=encoding, block_size=BLOCK_BYTES
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=separator, newlines_in_values=True, invalid_row_handler=set_apart
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            if not any(says in str(error) for says in NOTHING_BELOW_THE_HEADER):
                raise
            empty = pl.DataFrame(schema=dict.fromkeys(names, pl.String()))
            yield CsvPiece(empty, tuple(broken), separator)
            return
        waiting: list[pa.RecordBatch] = []
        for batch in reader:
            waiting.append(batch)
            if sum(len(each) for each in waiting) >= AT_ONCE:
                yield _piece(waiting, broken, separator)
        yield _piece(waiting or [pa.RecordBatch.from_pylist([], reader.schema)], broken, separator)


def _piece(batches: list[pa.RecordBatch], broken: list[str], separator: str) -> CsvPiece:
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("expected rows")
    piece = CsvPiece(frame, tuple(broken), separator)
    batches.clear()
    broken.clear()
    return piece


def _header(path: Path, shown: str, encoding: str) -> tuple[list[str], str, int]:
    """Column names, separator, and how many lines they end after."""
    with pa.input_stream(str(path)) as stream:
        reader = io.TextIOWrapper(
            stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=None
        )
        lines = 0
        for line in reader:
            lines += 1
            if line.strip():
                break
        else:
            raise IngestError(
                f"{shown}: the file is empty, expected a line of column names. Write the file anew."
            )
    outside_quotes = "".join(line.split('"')[::2])
    separator = max(SEPARATORS, key=outside_quotes.count)
    names = [name.strip() for name in next(csv.reader([line.rstrip("\r\n")], delimiter=separator))]
    named = [name or f"column {number}" for number, name in enumerate(names, start=1)]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        raise IngestError(
            f"{shown}: expected each column once, received {', '.join(repeated)} more than once. "
            "Rename or drop the repetitions."
        )
    return named, separator, lines


def _check_text(path: Path, shown: str, encoding: str) -> bool:
    """Go through the whole file once, so that a wrong encoding is found before anything is taken in.

    Returns:
        Whether the number of quotation marks is even.
    """
    quotes = 0
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, first = 1, True
    with pa.input_stream(str(path)) as stream:
        while block := stream.read(BLOCK_BYTES):
            if first:
                _check_kind(block, shown, encoding)
                first = False
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                raise IngestError(
                    f"{shown}: wrong encoding, expected {encoding.upper()}, received byte "
                    f"0x{error.object[error.start]:02x} in line {line}. Convert the file "
                    "(`iconv -f WINDOWS-1252 -t UTF-8`), or name its encoding in a mapping file "
                    "(`encoding: windows-1252`)."
                ) from error
            if "\x00" in text:
                raise IngestError(
                    f"{shown}: expected a CSV file, received zero bytes, which no text has. Export it as CSV."
                )
            lines += text.count("\n")
            quotes += text.count('"')
    if first:
        raise IngestError(
            f"{shown}: the file is empty, expected a line of column names. Write the file anew."
        )
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise IngestError(
            f"{shown}: wrong encoding, expected {encoding.upper()}, received a character cut off at the end. "
            "Write the file anew."
        ) from error
    return quotes % 2 == 0


def _check_kind(start: bytes, shown: str, encoding: str) -> None:
    for mark, kind in OTHER_KINDS.items():
        if start.startswith(mark):
            raise IngestError(f"{shown}: expected a CSV file, received {kind}. Export it as CSV in UTF-8.")
    for mark, found in OTHER_ENCODINGS.items():
        if start.startswith(mark) and not encoding.startswith(found):
            raise IngestError(
                f"{shown}: wrong encoding, expected {encoding.upper()}, received {found.upper()}. Convert "
                f"the file (`iconv -f {found.upper()} -t UTF-8`), or name its encoding in a mapping file "
                f"(`encoding: {found}`)."
            )
