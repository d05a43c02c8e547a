"""The newest row of each key in a window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FileSource

from pipelines.features.offline_store.latest_rows import NewestRows
from pipelines.features.offline_store.sources import Scan

START = datetime(2024, 1, 1, tzinfo=UTC)


def test_rows_outside_of_the_window_do_not_shift_those_that_are_read(tmp_path: Path):
    """Over several files and row groups, every other row lies outside; of each key two lie within."""
    count = 120_000
    for part, day in enumerate((1, 2)):
        rows = pa.table(
            {
                "user_id": [f"user-{number // 2}" for number in range(count)],
                "known_at": pa.array(
                    [START + timedelta(days=day if number % 2 else 9) for number in range(count)],
                    pa.timestamp("us", tz="UTC"),
                ),
                "n": pa.array(range(part * count, (part + 1) * count)),
                "tags": [[str(number)] for number in range(count)],
            }
        )
        pq.write_table(rows, tmp_path / f"{part}.parquet", row_group_size=20_000)
    found = NewestRows.in_window(
        Scan(FileSource(path=str(tmp_path)), f"read_parquet('{tmp_path}/*.parquet')"),
        ["user_id"],
        ["n", "tags"],
        ("known_at", None),
        (START, START + timedelta(days=3)),
    ).read()
    expected = {f"user-{number // 2}": (count + number, [str(number)]) for number in range(1, count, 2)}
    assert {row["user_id"]: (row["n"], row["tags"]) for row in found.to_pylist()} == expected
    assert found.num_rows == count // 2
