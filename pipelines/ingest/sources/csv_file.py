"""Reading one CSV file: every value as the text that was written, and lines that fit no row set apart."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
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
ONE_BYTE = "\x1f"
"""Stands for a separator of several characters while a file is read."""

LIKE_DATA = r"\s*(?:[+-]?\d[\d.,:/ T+Z-]*)?\s*"
"""A number, a time, or nothing."""

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


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How a CSV file is written, as far as a mapping says it."""

    encoding: str = "utf-8"
    separator: str | None = None
    """What stands between values; None is found in the first line."""

    header: bool | tuple[str, ...] = True
    """Whether the first line names the columns; false numbers them from 1 on; names are those of a file
    without such a line."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of a file, and where its rows begin."""

    names: list[str]
    separator: str
    lines_before: int
    unnamed: frozenset[str]
    """Columns without a name in the header; dropped where they hold nothing."""

    beyond: tuple[str, ...]
    """Columns behind the last one of the header; a row that has a value there is no row."""


def read_csv(path: Path, shown: str, csv_format: CsvFormat | None = None) -> Iterator[CsvPiece]:
    """The file's rows in pieces; one empty piece when there is a header alone.

    The separator is found in the header: comma, semicolon, tab, bar or `::`; a first line `sep=;` says it. A
    byte order mark is skipped. Lines may end in a separator more than the header, or in one less.

    Raises:
        IngestError: The file is empty, is no text, is in another encoding, or has no line of column names.
    """
    how = csv_format or CsvFormat()
    try:
        even_quotes = _check_text(path, shown, how.encoding)
        last = None
        for last in _read(path, shown, how):
            yield last
        if not even_quotes and last is not None and last.ends_in_open_quote and len(last.separator) == 1:
            raise IngestError(
                f"{shown}: expected every quotation mark to be closed, received one open until the end of "
                "the file, so that many lines read as one value. Close it, or double it within a value."
            )
    except (pa.ArrowException, OSError, EOFError) as error:
        raise IngestError(
            f"{shown}: expected a CSV file, received something that cannot be read as one "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Write the file anew."
        ) from error


def _read(path: Path, shown: str, how: CsvFormat) -> Iterator[CsvPiece]:
    layout = _layout(path, shown, how)
    broken: list[str] = []
    mended: list[str] = []

    def set_apart(line: pacsv.InvalidRow) -> str:
        text = _fitting(line, layout)
        (broken if text is None else mended).append(line.text if text is None else text)
        return "skip"

    is_long = len(layout.separator) > 1
    with pa.input_stream(str(path)) as raw:
        # Arrow takes one byte between values, and files with longer separators have no quotation marks.
        stream = _Rewritten(raw, how.encoding, layout.separator) if is_long else raw
        try:
            reader = pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(
                    column_names=layout.names,
                    skip_rows=layout.lines_before,
                    encoding="utf-8" if is_long else how.encoding,
                    block_size=BLOCK_BYTES,
                ),
                parse_options=_parse_options(layout, set_apart),
                convert_options=_as_text(layout.names),
            )
        except pa.ArrowInvalid as error:
            if not any(says in str(error) for says in NOTHING_BELOW_THE_HEADER):
                raise
            yield _piece([_parsed(mended, layout)], broken, layout)
            return
        waiting: list[pa.RecordBatch | pa.Table] = []
        for batch in reader:
            waiting.append(batch)
            if sum(len(each) for each in waiting) >= AT_ONCE:
                waiting.append(_parsed(mended, layout))
                yield _piece(waiting, broken, layout)
        waiting.append(_parsed(mended, layout))
        yield _piece(waiting, broken, layout)


class _Rewritten(io.RawIOBase):
    """A text file in UTF-8 with one byte for a separator of several characters."""

    def __init__(self, raw: pa.NativeFile, encoding: str, separator: str) -> None:
        text_encoding = "utf-8-sig" if encoding == "utf-8" else encoding
        self._text = io.TextIOWrapper(raw, encoding=text_encoding, newline="")
        self._separator, self._rest = separator, ""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, and none at the end of the file."""
        while not self._ready:
            block = self._text.read(BLOCK_BYTES)
            text = (self._rest + block).replace(self._separator, ONE_BYTE)
            self._rest = self._begun(text) if block else ""
            self._ready = text.removesuffix(self._rest).encode()
            if not block:
                break
        size = len(self._ready) if size < 0 else size
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _begun(self, text: str) -> str:
        """The beginning of a separator in which the text ends; the next block may hold the rest of it."""
        begins = (self._separator[:length] for length in range(len(self._separator) - 1, 0, -1))
        return next((begin for begin in begins if text.endswith(begin)), "")


def _parse_options(layout: _Layout, set_apart: Callable[[pacsv.InvalidRow], str]) -> pacsv.ParseOptions:
    is_long = len(layout.separator) > 1
    return pacsv.ParseOptions(
        delimiter=ONE_BYTE if is_long else layout.separator,
        quote_char=False if is_long else '"',
        newlines_in_values=not is_long,
        invalid_row_handler=set_apart,
    )


def _as_text(names: Sequence[str]) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)


def _fitting(line: pacsv.InvalidRow, layout: _Layout) -> str | None:
    """The line with as many values as there are columns, where it differs by empty ones at its end alone."""
    separator = ONE_BYTE if len(layout.separator) > 1 else layout.separator
    more: int = line.actual_columns - line.expected_columns
    text: str = line.text.rstrip("\r\n")
    if more > 0 and text.endswith(separator * more):
        return text[:-more]
    if more < 0 and set(layout.names[more:]) <= {*layout.unnamed, *layout.beyond}:
        return text + separator * -more
    return None


def _parsed(lines: list[str], layout: _Layout) -> pa.Table:
    """Lines that were brought to the right number of values; `lines` is empty afterwards."""
    schema = pa.schema([pa.field(name, pa.string()) for name in layout.names])
    if not lines:
        return schema.empty_table()
    text = "\n".join(lines).encode()
    lines.clear()
    return pacsv.read_csv(
        io.BytesIO(text),
        read_options=pacsv.ReadOptions(column_names=layout.names),
        parse_options=_parse_options(layout, lambda _: "skip"),
        convert_options=_as_text(layout.names),
    )


def _piece(batches: list[pa.RecordBatch | pa.Table], broken: list[str], layout: _Layout) -> CsvPiece:
    tables = [each if isinstance(each, pa.Table) else pa.Table.from_batches([each]) for each in batches]
    frame = pl.from_arrow(pa.concat_tables(tables))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("expected rows")
    lines = [line.replace(ONE_BYTE, layout.separator) for line in broken]
    if layout.beyond:
        is_beyond = frame.select(pl.any_horizontal(pl.col(layout.beyond) != "")).to_series()
        whole = frame.filter(is_beyond).select(pl.concat_str(pl.all(), separator=layout.separator))
        lines += whole.to_series().to_list()
        frame = frame.filter(~is_beyond).drop(layout.beyond)
    empty = [name for name in frame.columns if name in layout.unnamed and (frame[name] == "").all()]
    piece = CsvPiece(frame.drop(empty), tuple(lines), layout.separator)
    batches.clear()
    broken.clear()
    return piece


def _layout(path: Path, shown: str, how: CsvFormat) -> _Layout:
    """Column names and separator, and how many lines there are before the rows."""
    said, header, row, lines_before = _first_lines(path, how)
    if header is None:
        raise IngestError(
            f"{shown}: the file is empty, expected a line of column names. Write the file anew."
        )
    separator = how.separator or said or _separator_of(header)
    values = _values(header, separator)
    first: list[str] | None = None if row is None else _values(row, separator)
    if isinstance(how.header, tuple):
        names, first = list(how.header), values
        lines_before -= 1
    elif how.header:
        names = [value.strip() for value in values]
        if len(names) > 1 and all(re.fullmatch(LIKE_DATA, name) for name in names):
            raise IngestError(
                f"{shown}: expected a line of column names, received {', '.join(names)}, which reads like a "
                "row. Name the columns of a file without such a line in a mapping (`tables: {events: "
                "{header: [user_id, item_id, event_at]}}`)."
            )
    else:
        names, first = [str(number) for number in range(1, len(values) + 1)], None
        lines_before -= 1
    header_columns = len(names)
    if first is not None and not any(first[header_columns:]):
        names += [""] * (len(first) - header_columns)
    named = [name or f"column {number}" for number, name in enumerate(names, start=1)]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        raise IngestError(
            f"{shown}: expected each column once, received {', '.join(repeated)} more than once. "
            "Rename or drop the repetitions."
        )
    own = zip(named[:header_columns], names, strict=False)
    unnamed = frozenset(new for new, name in own if not name)
    return _Layout(named, separator, lines_before, unnamed, tuple(named[header_columns:]))


def _first_lines(path: Path, how: CsvFormat) -> tuple[str | None, str | None, str | None, int]:
    """The separator that a line `sep=;` says, the first line, the next one, and the number of the first."""
    said = header = row = None
    header_line = 0
    with pa.input_stream(str(path)) as stream:
        encoding = "utf-8-sig" if how.encoding == "utf-8" else how.encoding
        for number, line in enumerate(io.TextIOWrapper(stream, encoding=encoding, newline=None), start=1):
            text = line.rstrip("\r\n")
            if (
                header is None
                and said is None
                and (sep := re.fullmatch(r"(?i)sep=(.)", text.strip("\ufeff")))
            ):
                said = sep[1]
            elif text.strip():
                if header is not None:
                    row = text
                    break
                header, header_line = text, number
    return said, header, row, header_line


def _separator_of(header: str) -> str:
    outside_quotes = "".join(header.split('"')[::2])
    if "::" in outside_quotes:
        return "::"
    return max(SEPARATORS, key=outside_quotes.count)


def _values(line: str, separator: str) -> list[str]:
    if len(separator) > 1:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator))


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
