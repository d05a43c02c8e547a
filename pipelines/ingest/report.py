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

    cleaning: dict[str, int]
    """What was changed on the way: `table.column: step` -> values."""

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
