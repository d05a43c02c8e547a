"""Taking quarantined rows in again, as they are under another mapping, or mended by hand in a CSV file."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from pipelines.errors import IngestError
from pipelines.ingest.batch import READY_JSON, Batch, Broken, Position, Window
from pipelines.ingest.column_names import to_batch
from pipelines.ingest.event_keys import CONFLICT
from pipelines.ingest.mapping import Mapping, load_mapping
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import Run
from pipelines.ingest.sources import frame_of_objects, read_csv
from pipelines.lake import Lake, open_lake
from pipelines.settings import Settings

ABOUT = ("quarantine_id", "table", "source", "reason")
"""Columns of an exported file that say what a row is; the others are those of the row itself."""

SERVED = "event-log:"
"""Beginning of a source whose rows bear the names of the contract."""


class RetryReport(BaseModel):
    """What became of quarantined rows that were taken in again."""

    model_config = ConfigDict(frozen=True)

    ingest: IngestReport
    """What was taken, and what broke its contract again."""

    released: int
    """Rows that are no longer in quarantine."""

    skipped: dict[str, str]
    """Why rows of a source and table were not tried: `source: table` -> reason."""


def quarantined(lake: Lake, batch: str | None = None, table: str | None = None) -> pl.DataFrame:
    """Quarantined rows of an ingest, of a table, or all, in a fixed order."""
    if not lake.exists("quarantine"):
        return pl.DataFrame(schema=dict.fromkeys((*ABOUT, "content", "batch_id"), pl.String))
    rows = pl.DataFrame(lake.read("quarantine"))
    wanted = pl.lit(value=True)
    if batch is not None:
        wanted &= pl.col("batch_id") == batch
    if table is not None:
        wanted &= pl.col("table") == table
    return rows.filter(wanted).sort("table", "source", "quarantined_at", "quarantine_id")


def export_rows(rows: pl.DataFrame, file: Path) -> int:
    """Write quarantined rows of one table as CSV, a column for each of theirs, and return how many.

    Raises:
        IngestError: There are none, they are of several tables, or the file is there already.
    """
    tables = rows["table"].unique().sort().to_list()
    if len(tables) != 1:
        raise IngestError(
            f"expected quarantined rows of one table, received {', '.join(tables) or 'none'}. Name one with "
            "--table; `aisle quarantine list` shows which there are"
        )
    content = frame_of_objects(_received(rows).to_list(), "quarantine")
    lists = [name for name, kind in content.schema.items() if isinstance(kind, pl.List)]
    plain = content.with_columns(pl.col(name).list.join("|") for name in lists)
    taken = [name for name in plain.columns if name in ABOUT]
    mended = plain.rename({name: f"row.{name}" for name in taken})
    try:
        with file.open("xb") as out:
            rows.select(ABOUT).hstack(mended).write_csv(out)
    except OSError as error:
        raise IngestError(f"{file}: expected a new file that can be written, received: {error}") from error
    return rows.height


def retry(
    settings: Settings,
    *,
    file: Path | None = None,
    batch: str | None = None,
    table: str | None = None,
    mapping: Path | Mapping | None = None,
    now: datetime | None = None,
) -> RetryReport:
    """Take quarantined rows in again; what holds to its contract now leaves the quarantine.

    Run twice, it takes nothing twice: events are told apart by source and id, or by their content.

    Args:
        settings: Where the lake is.
        file: Mended rows, as `export_rows` wrote them; None tries the rows as they are.
        batch: Only rows of this ingest.
        table: Only rows of this table.
        mapping: What the shop calls its tables and columns.
        now: The present; events after it are not believed.

    Raises:
        IngestError: The file cannot be read, or names rows that are not in quarantine.
    """
    started = time.perf_counter()
    now = (now or datetime.now(UTC)).astimezone(UTC)
    shop = load_mapping(mapping) if isinstance(mapping, Path) else mapping or Mapping()
    lake = open_lake(settings)
    rows = quarantined(lake, batch, table)
    source = QuarantinedRows(rows if file is None else _mended(file, rows), shop)
    run = Run(lake, shop.model_copy(update={"tables": _without_full(shop)}), Window(), now)
    run.take_in(source)
    run.store()
    tried = pl.Series(source.tried, dtype=pl.String)
    done = tried.filter(~tried.is_in(run.sealed.implode()))
    released = lake.remove("quarantine", "quarantine_id", done) if done.len() else 0
    report = run.report([source], time.perf_counter() - started)
    return RetryReport(ingest=report, released=released, skipped=source.left)


class QuarantinedRows:
    """Quarantined rows as a source.

    Args:
        rows: Columns `quarantine_id`, `table`, `source`, `reason`, and either `content` as it was received or
            the columns of the mended rows.
        shop: What the shop calls its columns.
    """

    def __init__(self, rows: pl.DataFrame, shop: Mapping) -> None:
        self._rows, self._shop = rows, shop
        self.tried: list[str] = []
        """Ids of the rows that were read."""
        self.left: dict[str, str] = {}
        """Why rows of a source and table were not."""

    @property
    def name(self) -> str:
        """`quarantine`."""
        return "quarantine"

    def read(self) -> Iterator[Batch | Broken]:
        """A batch for each table and source."""
        groups = self._rows.group_by("table", "source", "reason", maintain_order=True)
        for (table, source, reason), rows in groups:  # a handful
            try:
                yield self._batch(str(table), str(source), str(reason), rows)
            except IngestError as error:
                self.left[f"{source}: {table}"] = str(error)
                continue
            self.tried += rows["quarantine_id"].to_list()

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """None: the quarantine is read whole."""
        return []

    def skipped(self) -> list[str]:
        """What could not be tried."""
        return [f"{where}: {why}" for where, why in self.left.items()]

    def _batch(self, table: str, source: str, reason: str, rows: pl.DataFrame) -> Batch:
        if "content" in rows.columns:
            frame = frame_of_objects(_received(rows).to_list(), source)
            original = rows.select(pl.col("content").alias(READY_JSON))
        else:
            frame = rows.drop(ABOUT)
            frame = frame.drop(name for name in frame.columns if (frame[name].fill_null("") == "").all())
            frame = frame.rename(lambda name: name.removeprefix("row."))
            original = frame
        is_served = source.startswith(SERVED)
        has_our_names = is_served or reason == CONFLICT
        shop = self._shop.model_copy(update={"tables": {}}) if has_our_names else self._shop
        made = to_batch(table, frame, source, shop)
        return Batch(
            table,
            source,
            made.rows,
            original,
            made.steps,
            notation=made.notation,
            acknowledged=is_served,
            marks=made.marks,
        )


def _received(rows: pl.DataFrame) -> pl.Series:
    """The content of rows as it was received; of a conflict, that of the refused row."""
    is_conflict = pl.col("reason") == CONFLICT
    received = pl.col("content").str.json_path_match("$.received")
    return rows.select(pl.when(is_conflict).then(received).otherwise("content")).to_series()


def _mended(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    if not file.is_file():
        raise IngestError(f"{file}: expected a file that `aisle quarantine export` wrote, received none")
    pieces: Sequence[pl.DataFrame] = [piece.rows for piece in read_csv(file, str(file))]
    mended = pl.concat(pieces, how="diagonal")
    missing = [name for name in ABOUT if name not in mended.columns]
    if missing:
        raise IngestError(
            f"{file}: expected the columns {', '.join(ABOUT)} of `aisle quarantine export`, missing "
            f"{', '.join(missing)}"
        )
    return mended.join(rows.select("quarantine_id"), on="quarantine_id", how="semi", maintain_order="left")


def _without_full(shop: Mapping) -> dict[str, object]:
    """The tables of a mapping, none of which is whole: mended rows are a few of a catalogue."""
    return {name: told.model_copy(update={"full": False}) for name, told in shop.tables.items()}
