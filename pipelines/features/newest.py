"""The newest row of each key of a feature table, found by number.

Which rows are the newest is told by keys and instants alone; only their features are read then. Rows outside
of the window are left out of both readings, which number the rest alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.features.asof import newest_rows, quoted
from pipelines.features.picking import rows_in_order
from pipelines.features.positions import POSITION


def newest_of_each_key(
    relation: str,
    datasets: Mapping[str, Any],
    keys: Sequence[str],
    columns: Sequence[str],
    known_at: str,
    created_at: str | None,
    where: str,
) -> pa.Table:
    """Return the newest row of each key among those for which `where` holds; see `asof.newest_rows`.

    Args:
        relation: SQL of the feature rows.
        datasets: What stands under a name in it.
        keys: Columns that name an entity; none: there is one row at most.
        columns: What to return, in order.
        known_at: Column with the instant from which a row was known.
        created_at: Column that breaks ties, if any.
        where: Condition on keys and instants.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, dataset in datasets.items():
            connection.register(name, dataset)
        narrow = ", ".join(quoted(name) for name in dict.fromkeys([*keys, known_at, created_at]) if name)
        among = f"FROM {relation} WHERE {where}"
        rows = rows_in_order(connection, f"SELECT {narrow} {among}")
        numbers = pa.array(np.arange(rows.num_rows, dtype=np.int32))
        connection.register("feature_rows", rows.append_column(POSITION, numbers))
        query = newest_rows("feature_rows", keys, [POSITION], known_at, created_at, "true")
        asked = np.zeros(rows.num_rows, bool)
        asked[connection.sql(query).to_arrow_table()[POSITION].to_numpy()] = True
        wanted = ", ".join(map(quoted, columns))
        return rows_in_order(connection, f"SELECT {wanted} {among}", asked)
