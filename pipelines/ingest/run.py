"""One ingest from end to end: read, clean, hold to the contract, and only then write.

Nothing is written before every source was read to its end, so a source that cannot be read leaves the lake as
it was. What is written is keyed, so an ingest that was killed half-way is put right by running it again.
"""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch, Broken, Source, Window
from pipelines.ingest.cleaning import Cleaned
from pipelines.ingest.cleaning.clean import clean
from pipelines.ingest.columns import TABLES
from pipelines.ingest.contracts import contract
from pipelines.ingest.enrich import STATE_IDS, complete, conflicts, date_states
from pipelines.ingest.event_keys import compare_keys, number_repeats
from pipelines.ingest.mapping import Mapping, load_mapping
from pipelines.ingest.open_source import addresses_of, open_source
from pipelines.ingest.quarantine import not_even_rows, screen, seal
from pipelines.ingest.report import IngestReport, TableReport
from pipelines.ingest.states import changed_states, gone_items, last_rows
from pipelines.ingest.watermarks import remember
from pipelines.lake import SCHEMAS, Lake, horizon_of, open_lake
from pipelines.runtime import read_instant
from pipelines.settings import Settings
from serving.events import EVENT_TYPES

CLOCK_SKEW = timedelta(hours=1)
"""How far a shop's clock may be ahead of ours."""


def ingest(
    source: str | Path | Sequence[str | Path],
    settings: Settings,
    *,
    mapping: Path | Mapping | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    full: bool = False,
    now: datetime | None = None,
) -> IngestReport:
    """Take shop data into the lake.

    Args:
        source: One or several of: a Parquet or CSV file or a folder of them, `mysql://…`, `s3://…`,
            `complete-journey`, `event-log` or `event-log:FOLDER`.
        settings: Where the lake is, and how S3 is reached.
        mapping: What the shop calls its tables and columns, as a YAML file or as the model.
        since: Take only events from this instant on; the watermark is neither used nor moved then.
        until: Take only events before this instant; likewise.
        full: Read everything anew, whatever the watermark says.
        now: The present; events after it are not believed.

    Raises:
        IngestError: A source cannot be read as a whole; the lake is untouched then.
    """
    started = time.perf_counter()
    now = (now or datetime.now(UTC)).astimezone(UTC)
    shop = load_mapping(mapping) if isinstance(mapping, Path) else mapping or Mapping()
    lake = open_lake(settings)
    window = Window(_utc(since), _utc(until))
    named = [source] if isinstance(source, str | Path) else list(source)
    addresses = [address for each in named for address in addresses_of(str(each), settings)]
    sources = [open_source(each, settings, lake, shop, window, full=full) for each in addresses]
    run = Run(lake, shop, window, now)
    for each in sources:
        run.take_in(each)
    run.store()
    if window.is_open:
        remember(
            lake, [position for each in sources for position in each.positions(run.newest_of(each))], now
        )
    return run.report(sources, time.perf_counter() - started)


def as_of(lake: Lake) -> datetime | None:
    """The cutoff that includes every event of the lake but those far away from the others."""
    horizon = horizon_of(lake)
    return None if horizon is None else horizon.as_of


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else read_instant(instant)


class Run:
    """What an ingest has read so far, and then has stored."""

    def __init__(self, lake: Lake, shop: Mapping, window: Window, now: datetime) -> None:
        self._lake, self._shop, self._window, self._now = lake, shop, window, now
        self._batch_id = f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self._contracts = {
            table: contract(
                table, now + CLOCK_SKEW, sorted({*EVENT_TYPES, *filter(None, shop.event_types.values())})
            )
            for table in TABLES
        }
        self._acknowledged = contract("events", datetime.max.replace(tzinfo=UTC), None)
        self._good: dict[str, list[pl.DataFrame]] = {}
        self._bad: list[pl.DataFrame] = []
        self._rows_in: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._duplicates: Counter[str] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self.sealed = pl.Series([], dtype=pl.String)
        self._rows_of: Counter[tuple[str, str]] = Counter()
        self._refused_of: Counter[tuple[str, str]] = Counter()
        self._unreadable: Counter[str] = Counter()
        self._present: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._warnings: dict[tuple[str, str], str] = {}
        self._ignored: dict[str, tuple[str, ...]] = {}
        self._outside = 0
        self._seen_items: list[pl.Series] = []
        self._gone = 0
        self._newest: dict[str, datetime] = {}
        self._reading = ""

    def take_in(self, source: Source) -> None:
        """Read a source to its end and keep what it holds, sorted into good and bad."""
        self._reading = source.name
        for piece in source.read():
            if isinstance(piece, Broken):
                self._count_rows(piece.table, len(piece.contents))
                self._set_aside(piece.table, not_even_rows(piece))
            else:
                self._sort(piece)

    def _sort(self, batch: Batch) -> None:
        if batch.ignored_columns:
            self._ignored[batch.source] = batch.ignored_columns
        self._count_rows(batch.table, batch.original.height)
        cleaned = clean(batch)
        self._note(batch, cleaned)
        if batch.table == "items":
            self._seen_items.append(cleaned.rows["item_id"].drop_nulls())
        rows = self._within_window(cleaned.rows) if batch.table == "events" else cleaned.rows
        of_table = self._acknowledged if batch.acknowledged else self._contracts[batch.table]
        good, bad, lost = screen(batch, rows, of_table)
        self._unreadable += lost
        if bad is not None:
            self._set_aside(batch.table, bad)
        if not good.is_empty():
            self._note_newest(batch.table, good)
            completed, steps = complete(batch.table, good, batch.source)
            self._steps += steps
            self._good.setdefault(batch.table, []).append(completed)

    def _note(self, batch: Batch, cleaned: Cleaned) -> None:
        self._steps += cleaned.steps
        self._unreadable += cleaned.unreadable
        self._present += cleaned.present
        self._left_out += cleaned.left_out
        self._count_rows(batch.table, -cleaned.left_out.total())
        self._warnings |= {(batch.source, column): text for column, text in cleaned.warnings.items()}

    def _note_newest(self, table: str, good: pl.DataFrame) -> None:
        newest = good["event_at"].max() if table == "events" else None
        if isinstance(newest, datetime):
            self._newest[self._reading] = max(newest, self._newest.get(self._reading, newest))

    def newest_of(self, source: Source) -> datetime | None:
        """Time of the newest event that came from the source and held to the contract."""
        return self._newest.get(source.name)

    def _within_window(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that were asked for, and those whose time is not known; the others were not read."""
        if self._window.is_open:
            return rows
        inside = pl.lit(value=True)
        if self._window.since is not None:
            inside &= pl.col("event_at") >= self._window.since
        if self._window.until is not None:
            inside &= pl.col("event_at") < self._window.until
        kept = rows.filter(inside.fill_null(value=True))
        self._outside += rows.height - kept.height
        self._count_rows("events", kept.height - rows.height)
        return kept

    def _count_rows(self, table: str, rows: int) -> None:
        self._rows_in[table] += rows
        self._rows_of[self._reading, table] += rows

    def _set_aside(self, table: str, rows: pl.DataFrame) -> None:
        self._quarantined[table] += rows.height
        self._refused_of[self._reading, table] += rows.height
        self._bad.append(rows)

    def store(self) -> None:
        """Write the quarantine, then the good rows, and check that every row is accounted for."""
        self._reading = ""
        gone = self._gone_items()
        if "events" in self._good:
            self._key_events()
        if self._bad:
            sealed = seal(self._bad, self._batch_id, self._now)
            self.sealed = sealed["quarantine_id"]
            self._lake.append_new("quarantine", sealed.to_arrow().cast(SCHEMAS["quarantine"]))
        for table in TABLES:
            if table not in self._good:
                continue
            rows = pl.concat(self._good.pop(table))
            read = rows.height
            if table in STATE_IDS:
                rows = self._states(table, rows)
            else:
                self._steps += conflicts(table, rows)
            stored_as = rows.to_arrow().cast(SCHEMAS[table])
            del rows  # a year of events fills half a gigabyte
            self._accepted[table] = self._lake.append_new(table, stored_as)
            self._duplicates[table] += read - self._accepted[table]
        if gone.height:
            self._gone = self._lake.append_new("items", gone.to_arrow().cast(SCHEMAS["items"]))
        if self._lake.exists("events"):  # all that is known of items and users may be their events
            for table in STATE_IDS:
                self._lake.make(table)
        for table, numbers in self._tables().items():
            if not numbers.adds_up:
                raise IngestError(f"expected every row of {table} to be accounted for, received {numbers!r}")

    def _states(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """The states that say something new, dated."""
        rows, steps = last_rows(table, rows)
        self._steps += steps
        dated = date_states(self._lake, table, rows, self._now)
        return changed_states(self._lake, table, dated, self._now, full=self._shop.of(table).full)

    def _gone_items(self) -> pl.DataFrame:
        """What a full catalogue no longer has; nothing where no catalogue was read."""
        told = self._shop.of("items")
        if not told.full or "items" not in self._rows_in:
            return pl.DataFrame()
        seen = pl.concat([pl.Series([], dtype=pl.String), *self._seen_items])
        return gone_items(self._lake, seen, self._now, told.most_gone)

    def _key_events(self) -> None:
        """Number equal events without ids, and set aside those whose id another event has."""
        keyed = compare_keys(self._lake, number_repeats(pl.concat(self._good.pop("events"))))
        self._duplicates["events"] += keyed.duplicates
        if keyed.conflicts is not None:
            self._set_aside("events", keyed.conflicts)
        self._good["events"] = [keyed.rows]

    def _tables(self) -> dict[str, TableReport]:
        return {
            table: TableReport(
                rows_in=self._rows_in[table],
                accepted=self._accepted[table],
                duplicates=self._duplicates[table],
                quarantined=self._quarantined[table],
            )
            for table in TABLES
            if table in self._rows_in
        }

    def report(self, sources: Sequence[Source], seconds: float) -> IngestReport:
        """What was done."""
        tables = self._tables()
        horizon = horizon_of(self._lake)
        far = None if horizon is None else horizon.warning()
        reasons: Counter[str] = Counter()
        for rows in self._bad:
            reasons.update(dict(rows["reason"].value_counts().iter_rows()))
        return IngestReport(
            sources=tuple(source.name for source in sources),
            batch_id=self._batch_id,
            rows_in=sum(each.rows_in for each in tables.values()),
            accepted=sum(each.accepted for each in tables.values()),
            duplicates=sum(each.duplicates for each in tables.values()),
            quarantined=sum(each.quarantined for each in tables.values()),
            seconds=round(seconds, 3),
            tables=tables,
            refused_by_source={
                f"{source}: {table}": TableReport(rows_in=self._rows_of[source, table], quarantined=count)
                for (source, table), count in self._refused_of.items()
                if count and source
            },
            cleaning=dict(sorted(self._steps.items())),
            unreadable=dict(sorted(self._unreadable.items())),
            present={column: self._present[column] for column in sorted(self._unreadable)},
            gone=self._gone,
            left_out=dict(self._left_out.most_common()),
            warnings=(
                *(f"{source}: {column}: {text}" for (source, column), text in self._warnings.items()),
                *(() if far is None else (far,)),
            ),
            reasons=dict(reasons.most_common()),
            ignored_columns=self._ignored,
            skipped=tuple(name for source in sources for name in source.skipped()),
            outside_window=self._outside,
            versions=self._lake.versions(),
            as_of=None if horizon is None else horizon.as_of,
        )
