"""A shop's MySQL or MariaDB database, read in one consistent snapshot. The one place that imports pymysql.

Every value is fetched as the text that the server writes, so that a value it should not hold, such as the
date `0000-00-00`, goes the way of every other bad value: into the quarantine.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl
import pymysql
import pymysql.converters
import pymysql.cursors

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch, Position, Window
from pipelines.ingest.column_names import received, to_batch
from pipelines.ingest.contracts import EPOCH
from pipelines.ingest.mapping import Mapping as ShopMapping
from pipelines.ingest.sources.mysql_window import SqlColumn, condition, quoted, time_column
from serving.events import EARLIEST

SHOP_TABLES = {"users": "users", "items": "items", "events": "user_behavior"}
"""Our tables, and what they are called in a shop database where no mapping says otherwise."""

AT_ONCE = 200_000
FRACTIONS = ("decimal", "double", "float")
CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is and who asks."""

    host: str
    port: int
    database: str
    user: str
    password: str
    ssl_ca: str | None = None

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read `mysql://user:password@host:3306/database?ssl_ca=FILE`, special characters as `%40`."""
        parts = urlsplit(address)
        try:
            host, port, database = parts.hostname, parts.port or 3306, unquote(parts.path.strip("/"))
        except ValueError as error:
            raise IngestError(
                f"expected a number as port in the database address, received: {error}."
            ) from error
        if not host or not database:
            raise IngestError(
                "expected mysql://user:password@host:3306/database, received one without host or database."
            )
        ssl_ca = next(iter(parse_qs(parts.query).get("ssl_ca", ())), None)
        return cls(
            host, port, database, unquote(parts.username or "root"), unquote(parts.password or ""), ssl_ca
        )

    @property
    def shown(self) -> str:
        """The address without user and password."""
        return f"mysql://{self.host}:{self.port}/{self.database}"


class ShopDatabase:
    """The tables of a shop database; of events only what is wanted.

    Args:
        address: Where it is.
        shop: What the shop calls its tables and columns.
        window: The span of event times that was asked for.
        known: The watermark of each table in microseconds since 1970; used where no span was asked for.
    """

    def __init__(
        self, address: DatabaseAddress, shop: ShopMapping, window: Window, known: Mapping[str, int]
    ) -> None:
        self._address, self._shop, self._window, self._known = address, shop, window, known

    @property
    def name(self) -> str:
        """The address without user and password."""
        return self._address.shown

    def read(self) -> Iterator[Batch]:
        """Users and items whole, then the events."""
        try:
            with closing(self._connect()) as connection:
                columns = self._columns(connection)
                for table, theirs in self._tables(columns).items():
                    yield from self._read_table(connection, table, theirs, columns[theirs])
        except pymysql.MySQLError as error:
            told = error.args[-1] if error.args else type(error).__name__
            raise IngestError(
                f"{self.name}: expected a MySQL or MariaDB database that can be read, received: {told}. "
                "Check that the server runs, and host, port, user, password and database of the address."
            ) from error

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """The watermark: the time of the newest event that held to its contract."""
        if newest_event_at is None:
            return []
        return [
            Position(
                self.name, self._origin("events"), (newest_event_at - EPOCH) // timedelta(microseconds=1)
            )
        ]

    def skipped(self) -> list[str]:
        """Nothing: other tables of a database are none of our business."""
        return []

    def _connect(self) -> "pymysql.Connection[pymysql.cursors.SSCursor]":
        # Without decoders, every value stays text.
        encoders_alone: dict[Any, Any] = {**pymysql.converters.encoders}
        connection = pymysql.connect(
            host=self._address.host,
            port=self._address.port,
            user=self._address.user,
            password=self._address.password,
            database=self._address.database,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            cursorclass=pymysql.cursors.SSCursor,
            conv=encoders_alone,
            ssl_ca=self._address.ssl_ca,
        )
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")  # a TIMESTAMP is shown in the session's zone
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        return connection

    def _columns(self, connection: Any) -> dict[str, list[SqlColumn]]:
        """The columns of every table of the database."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = %s ORDER BY table_name, ordinal_position",
                (self._address.database,),
            )
            columns: dict[str, list[SqlColumn]] = {}
            for table, column, kind in cursor.fetchall():
                columns.setdefault(table, []).append(SqlColumn(column, kind.lower()))
        return columns

    def _origin(self, table: str) -> str:
        return self._shop.of(table).origin or SHOP_TABLES.get(table, table)

    def _tables(self, columns: Mapping[str, Sequence[SqlColumn]]) -> dict[str, str]:
        """Our table -> the shop's, for all that are to be read."""
        wanted = {table: self._origin(table) for table in (self._shop.tables or SHOP_TABLES)}
        missing = [theirs for theirs in wanted.values() if theirs not in columns]
        if missing:
            raise IngestError(
                f"{self.name}: expected the tables {', '.join(wanted.values())}, missing "
                f"{', '.join(missing)}; received {received(sorted(columns))}. Name the shop's tables in a "
                "mapping file (--mapping), such as "
                "`tables: {events: {from: orders, columns: {event_at: ordered_at}}}`."
            )
        return dict(sorted(wanted.items(), key=lambda each: each[0] == "events"))

    def _read_table(
        self, connection: Any, table: str, theirs: str, columns: Sequence[SqlColumn]
    ) -> Iterator[Batch]:
        where, values = "", tuple[str | int, ...]()
        event_at = time_column(columns, self._shop.of(table)) if table == "events" else None
        if event_at is not None:
            since, until = self._wanted()
            where, values = condition(
                event_at, since, until, self._shop.timezone, lambda: _highest(connection, theirs, event_at)
            )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quoted(theirs)}{where}", values)  # noqa: S608
            names = [column[0] for column in cursor.description]
            fractions = {column.name for column in columns if column.kind in FRACTIONS}
            rows = cursor.fetchmany(AT_ONCE)
            while True:
                batch = to_batch(table, _frame(names, rows, fractions), f"{self.name}/{theirs}", self._shop)
                yield _with_zone(batch, event_at)
                rows = cursor.fetchmany(AT_ONCE)
                if not rows:
                    return

    def _wanted(self) -> tuple[datetime | None, datetime | None]:
        """The span of event times to ask for: what a person wants, or what is new and the look-back."""
        watermark = self._known.get(self._origin("events"))
        if not self._window.is_open or watermark is None:
            return self._window.since, self._window.until
        look_back = timedelta(days=self._shop.look_back_days)
        return max(EPOCH + timedelta(microseconds=watermark) - look_back, EARLIEST), None


def _highest(connection: Any, theirs: str, column: SqlColumn) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT MAX({quoted(column.name)}) FROM {quoted(theirs)}", ())  # noqa: S608
        (highest,) = cursor.fetchall()[0]
    return None if highest is None else float(highest)


def _frame(
    names: Sequence[str], rows: Sequence[Sequence[str | bytes | None]], fractions: Collection[str]
) -> pl.DataFrame:
    """Rows as columns of text, of numbers where the server has fractions, and of bytes where it has bytes."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    frame = pl.DataFrame(
        [
            pl.Series(
                name, column, dtype=pl.Binary if any(isinstance(v, bytes) for v in column) else pl.String
            )
            for name, column in zip(names, columns, strict=True)
        ]
    )
    # Their decimal mark is a point, whatever other numbers of the shop are written like.
    return frame.with_columns(pl.col(name).cast(pl.Float64) for name in names if name in fractions)


def _with_zone(batch: Batch, event_at: SqlColumn | None) -> Batch:
    """A TIMESTAMP is an instant, shown in the session's zone; other times are on the shop's clock."""
    if event_at is None or event_at.kind != "timestamp":
        return batch
    return replace(batch, rows=batch.rows.with_columns(pl.col("event_at") + "Z"))
