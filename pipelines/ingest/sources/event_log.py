"""The log in which serving keeps acknowledged events: one JSON object a line, in growing segments."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from pipelines.ingest.batch import READY_JSON, Batch, Broken, Position
from pipelines.ingest.cleaning import DecimalMarks, Notation
from pipelines.ingest.columns import TABLES
from serving.events import segments

BYTES_AT_ONCE = 64 * 1024 * 1024
NO_OBJECT = "the line is no JSON object"


class EventLogFolder:
    """The lines that were added since the last ingest; a last line that is not finished waits for the next.

    Args:
        folder: Where the segments are; a folder that is not there yet holds no events.
        known: Bytes of each segment that were taken in before.
        event_types: What a mapping calls event types; serving has judged them, so others stay as they are.
    """

    def __init__(
        self, folder: Path, known: Mapping[str, int], event_types: Mapping[str, str | None] | None = None
    ) -> None:
        self._folder, self._known = folder, known
        self._notation = Notation(event_types=dict(event_types or {}), own_event_types=False)
        self._read_until: dict[str, int] = {}

    @property
    def name(self) -> str:
        """`event-log:` and the folder."""
        return name_of(self._folder)

    def read(self) -> Iterator[Batch | Broken]:
        """Every finished line beyond what is known, segment by segment."""
        for segment in segments(self._folder):
            start = self._known.get(segment.name, 0)
            if start > segment.stat().st_size:
                start = 0  # the log was put back to an earlier state; what is known will be duplicates
            for lines, end in _finished_lines(segment, start):
                yield from self._sorted(lines, f"{self.name}/{segment.name}")
                self._read_until[segment.name] = end

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """The end of what was read of each segment."""
        return [Position(self.name, segment, end) for segment, end in self._read_until.items()]

    def skipped(self) -> list[str]:
        """Nothing: other files of the folder belong to the log itself."""
        return []

    def _sorted(self, lines: list[str], source: str) -> Iterator[Batch | Broken]:
        rows = _parsed(pl.Series("line", lines, dtype=pl.String))
        objects = rows.filter("is_object")
        if objects.height:
            content = objects.select(pl.col("line").alias(READY_JSON))
            events = objects.drop("line", "is_object")
            yield Batch(
                "events",
                source,
                events,
                content,
                notation=self._notation,
                acknowledged=True,
                marks=DecimalMarks(declared="."),
            )
        broken = rows.filter(~pl.col("is_object"))["line"]
        if broken.len():
            yield Broken("events", source, tuple(broken), NO_OBJECT)


def name_of(folder: Path) -> str:
    """What the log of a folder is called, wherever it is looked at from."""
    return f"event-log:{folder.resolve()}"


def _finished_lines(segment: Path, start: int) -> Iterator[tuple[list[str], int]]:
    """Lines that end in a newline, in pieces, and the position behind each piece."""
    with segment.open("rb") as file:
        file.seek(start)
        for _ in itertools.count():
            block = file.read(BYTES_AT_ONCE)
            if block and not block.endswith(b"\n"):
                block += file.readline()
            finished = block[: block.rfind(b"\n") + 1]
            if not finished:
                return
            start += len(finished)
            lines = finished.decode("utf-8", errors="replace").split("\n")
            yield [line for line in lines if line.strip()], start


def _parsed(lines: pl.Series) -> pl.DataFrame:
    """The fields of each line as text, null where a field is absent and where the line is no object."""
    fields = ", ".join(
        f"json_extract_string(object, '$.{column.name}') AS {column.name}" for column in TABLES["events"]
    )
    query = f"""
        SELECT line, coalesce(json_type(object) = 'OBJECT', false) AS is_object, {fields}
        FROM (SELECT line, CASE WHEN json_valid(line) THEN line END AS object FROM given)
    """  # noqa: S608
    with duckdb.connect() as connection:
        connection.register("given", lines.to_frame().to_arrow())
        return pl.DataFrame(connection.sql(query).to_arrow_table())
