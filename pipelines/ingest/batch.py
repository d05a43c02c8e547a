"""What a source hands over: rows as they were, and the same rows under the names of the contract."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from pipelines.ingest.cleaning import DecimalMarks, Notation

READY_JSON = "_json"
"""The one column of original rows that are JSON objects already."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of one table, not cleaned yet."""

    table: str
    """Table of the lake that the rows are for."""

    source: str
    """Where they came from, as a person wants to read it; never holds a password."""

    rows: pl.DataFrame
    """The rows under the contract's column names, with values of any type."""

    original: pl.DataFrame
    """The same rows in the same order as they were received, for the quarantine."""

    steps: Counter[str] = field(default_factory=Counter)
    """What the source changed already: step -> rows."""

    ignored_columns: tuple[str, ...] = ()
    """Columns that the contract has no place for."""

    notation: Notation = field(default_factory=Notation)
    """How the shop writes its values."""

    acknowledged: bool = False
    """Whether serving has judged the events and said that they are kept: their types are those of its
    setting, and their times those of its clock."""

    marks: DecimalMarks = field(default_factory=DecimalMarks)
    """The decimal marks of the file that the rows come from, shared by its batches."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Pieces of a source that are not even rows: lines that cannot be taken apart."""

    table: str
    source: str
    contents: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far one part of a source has been read."""

    source: str
    part: str
    position: int


@dataclass(frozen=True, slots=True)
class Window:
    """The span of `event_at` that was asked for: `since` inclusive, `until` exclusive."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether everything was asked for."""
        return self.since is None and self.until is None


class Source(Protocol):
    """Something that shop data can be read from."""

    @property
    def name(self) -> str:
        """What the source is called in reports and errors; never holds a password."""

    def read(self) -> Iterator[Batch | Broken]:
        """All rows, in pieces. Raises `IngestError` when the source as a whole cannot be read."""

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """How far `read` came, to be remembered once its rows are stored.

        Args:
            newest_event_at: Time of the newest of its events that held to the contract; None without any.
        """

    def skipped(self) -> list[str]:
        """What lay in the source and is no shop data, such as a README among tables."""
