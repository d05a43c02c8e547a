"""What an ingest did, in numbers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class TableReport(BaseModel):
    """What became of the rows of one table."""

    model_config = ConfigDict(frozen=True)

    rows_in: int = 0
    """Rows that were read."""

    accepted: int = 0
    """Rows that are new in the lake."""

    duplicates: int = 0
    """Rows that the lake held already, or that were read twice."""

    quarantined: int = 0
    """Rows that broke the contract."""

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.rows_in == self.accepted + self.duplicates + self.quarantined


class IngestReport(BaseModel):
    """What an ingest did."""

    model_config = ConfigDict(frozen=True)

    sources: tuple[str, ...]
    """What was read."""

    batch_id: str
    """Name of this ingest; the quarantined rows carry it."""

    rows_in: int
    accepted: int
    duplicates: int
    quarantined: int
    seconds: float
    tables: dict[str, TableReport]
    """The same numbers for each table."""

    refused_by_source: dict[str, TableReport] = {}
    """Rows read and quarantined of each source and table of which some were quarantined: `source: table`."""

    cleaning: dict[str, int]
    """What was changed on the way: `table.column: step` -> values."""

    unreadable: dict[str, int] = {}
    """Optional values that could not be read, and are missing in rows that were taken: `table.column` ->
    values."""

    present: dict[str, int] = {}
    """How many values those columns had altogether."""

    gone: int = 0
    """Items that a full catalogue no longer has, and that are no longer offered."""

    left_out: dict[str, int] = {}
    """Events of types that the mapping leaves out, by the shop's type; they do not count as read."""

    warnings: tuple[str, ...] = ()
    """What a person should look at."""

    reasons: dict[str, int]
    """Why rows were quarantined: reason -> rows."""

    ignored_columns: dict[str, tuple[str, ...]]
    """Columns that no contract has a place for, by source."""

    skipped: tuple[str, ...]
    """Files that are no shop data."""

    outside_window: int
    """Events that lie outside of the span that was asked for; they do not count as read."""

    versions: dict[str, int]
    """Versions of the lake's tables afterwards."""

    as_of: datetime | None
    """Cutoff just after the newest event of the whole lake; None while there is no event."""
