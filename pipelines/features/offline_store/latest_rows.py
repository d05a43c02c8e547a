"""The newest row of each key of a feature table in a window, found by number.

Which rows are the newest is told by keys and instants alone; only their features are read then. Rows outside
of the window are left out of both readings, which number the rest alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.features.offline_store.asof_sql import newest_rows
from pipelines.features.offline_store.gather import rows_in_order
from pipelines.features.offline_store.point_in_time import POSITION
from pipelines.features.offline_store.sources import Scan, between
from serving.features.online_store import quoted


@dataclass(frozen=True, slots=True)
class NewestRows:
    """What is asked of a feature table; see `asof.newest_rows`."""

    relation: str
    """SQL of the feature rows."""

    datasets: Mapping[str, Any]
    """What stands under a name in it."""

    keys: Sequence[str]
    """Columns that name an entity; none: there is one row at most."""

    columns: Sequence[str]
    """What to return, in order."""

    known_at: str
    """Column with the instant from which a row was known."""

    created_at: str | None
    """Column that breaks ties, if any."""

    where: str
    """Condition on keys and instants of the rows that count."""

    @classmethod
    def in_window(
        cls,
        scan: Scan,
        keys: Sequence[str],
        features: Sequence[str],
        stamps: tuple[str, str | None],
        window: tuple[datetime, datetime],
    ) -> "NewestRows":
        """Ask for the rows of a window whose keys are known.

        Args:
            scan: The feature table.
            keys: Its columns that name an entity.
            features: Its columns to return beside keys and instants.
            stamps: Its columns with the instant from which a row was known, and that breaks ties, if any.
            window: Start and end, both included.
        """
        known_at, created_at = stamps[0], stamps[1] or None
        known = [f"{quoted(key)} IS NOT NULL" for key in keys]
        return cls(
            relation=scan.sql,
            datasets=scan.datasets,
            keys=keys,
            columns=[*keys, *features, known_at, *([created_at] if created_at else [])],
            known_at=known_at,
            created_at=created_at,
            where=" AND ".join([between(known_at, *window), *known]),
        )

    @property
    def sql(self) -> str:
        """The same as one query."""
        return newest_rows(self.relation, self.keys, self.columns, self.known_at, self.created_at, self.where)

    def read(self, database: Any = None) -> pa.Table:
        """Read the rows.

        Args:
            database: A connection to DuckDB, which takes longer to open than a small table to read; several
                threads may read over one. None: open one.
        """
        import duckdb

        with database.cursor() if database else duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, dataset in self.datasets.items():
                connection.register(name, dataset)
            return self._read(connection)

    def _read(self, connection: Any) -> pa.Table:
        narrow = [name for name in (*self.keys, self.known_at, self.created_at) if name]
        among = f"FROM {self.relation} WHERE {self.where}"
        rows = rows_in_order(connection, f"SELECT {', '.join(map(quoted, dict.fromkeys(narrow)))} {among}")
        numbers = pa.array(np.arange(rows.num_rows, dtype=np.int32))
        connection.register("feature_rows", rows.append_column(POSITION, numbers))
        query = newest_rows("feature_rows", self.keys, [POSITION], self.known_at, self.created_at, "true")
        asked = np.zeros(rows.num_rows, bool)
        asked[connection.sql(query).to_arrow_table()[POSITION].to_numpy()] = True
        return rows_in_order(connection, f"SELECT {', '.join(map(quoted, self.columns))} {among}", asked)
