"""Rows of a feature table by their numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import FeatureError
from pipelines.features.offline_store.asof_sql import AT, ROW, JoinedView
from pipelines.features.offline_store.point_in_time import PointInTimeJoin
from pipelines.features.offline_store.row_selection import RowSelection

STAMP = pa.timestamp("us", tz="UTC")


def hour(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)


def entities(keys: pa.Array, hours: list[float]) -> pa.Table:
    at = pa.array([hour(one) for one in hours], STAMP)
    return pa.table({ROW: pa.array(range(len(keys)), pa.int64()), AT: at, "user_id": keys})


def view(path: Path, ttl: timedelta | None = None) -> JoinedView:
    return JoinedView(
        relation=f"read_parquet('{path}')",
        keys=(("user_id", "user_id"),),
        features=(("n", "n"), ("tags", "labels")),
        known_at="known_at",
        ttl=ttl,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Rows in no order: anna at 3, bob at 1, anna at 1, nobody at 0, anna at 2."""
    rows = pa.table(
        {
            "user_id": ["anna", "bob", "anna", None, "anna"],
            "known_at": pa.array([hour(one) for one in (3, 1, 1, 0, 2)], STAMP),
            "n": [30, 10, None, 0, 20],
            "tags": [["c"], ["x"], [], ["?"], None],
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_each_entity_row_finds_the_newest_row_known_by_then(path: Path):
    asked = entities(pa.array(["anna", "bob", "anna", "carl", None, "anna"]), [2.5, 0.5, 1, 5, 5, 9])
    with PointInTimeJoin(asked, {}, created_before=False) as join:
        positions = join.positions(view(path))
        assert positions.tolist() == [4, -1, 2, -1, -1, 0]
        values = {
            name: pa.chunked_array(parts)
            for name, parts in join.features(view(path), RowSelection.at(positions))
        }
        known = join.known_at(view(path))
    assert values["n"].to_pylist() == [20, None, None, None, None, 30]
    assert values["labels"].to_pylist() == [None, None, [], None, None, ["c"]]
    assert known.to_pylist() == [hour(2), None, hour(1), None, None, hour(3)]


def test_what_outlived_its_time_is_not_found_but_its_instant_is(path: Path):
    asked = entities(pa.array(["anna", "bob"]), [4, 4])
    with PointInTimeJoin(asked, {}, created_before=False) as join:
        assert join.positions(view(path, timedelta(hours=2))).tolist() == [0, -1]
        assert join.known_at(view(path, timedelta(hours=2))).to_pylist() == [hour(3), hour(1)]


def test_keys_find_each_other_over_types(tmp_path: Path):
    rows = pa.table({"user_id": ["900", "x"], "known_at": pa.array([hour(0)] * 2, STAMP), "n": [1, 2]})
    pq.write_table(rows.append_column("tags", pa.array([["a"], ["b"]])), tmp_path / "rows.parquet")
    with PointInTimeJoin(entities(pa.array([7, 900]), [1, 1]), {}, created_before=False) as join:
        assert join.positions(view(tmp_path / "rows.parquet")).tolist() == [-1, 0]


def test_keys_that_are_neither_texts_nor_whole_numbers_are_joined_as_they_are(tmp_path: Path):
    rows = pa.table({"user_id": [0.5, 1.5], "known_at": pa.array([hour(0)] * 2, STAMP), "n": [1, 2]})
    pq.write_table(rows.append_column("tags", pa.array([["a"], ["b"]])), tmp_path / "rows.parquet")
    with PointInTimeJoin(entities(pa.array([1.5, 2.5]), [1, 1]), {}, created_before=False) as join:
        assert join.positions(view(tmp_path / "rows.parquet")).tolist() == [1, -1]


def test_the_order_of_rows_is_that_of_the_files_in_every_scan(tmp_path: Path):
    """Features are read column after column, and have to meet the keys that were read before them."""
    count = 300_000
    numbers = pa.array(range(count))
    for part in range(3):
        rows = pa.table(
            {
                "user_id": numbers.cast(pa.string()),
                "known_at": pa.array([hour(part)] * count, STAMP),
                "n": pa.array(range(part * count, (part + 1) * count)),
                "tags": numbers.cast(pa.string()),
            }
        )
        pq.write_table(rows, tmp_path / f"{part}.parquet", row_group_size=50_000)
    files = view(tmp_path / "*.parquet")
    asked = entities(numbers.cast(pa.string()), [1.5] * count)
    with PointInTimeJoin(asked, {}, created_before=False) as join:
        positions = join.positions(files)
        values = {
            name: pa.chunked_array(parts) for name, parts in join.features(files, RowSelection.at(positions))
        }
    assert values["n"].to_numpy().tolist() == list(range(count, 2 * count))
    assert values["labels"].equals(pa.chunked_array([numbers.cast(pa.string())]))


def test_no_entity_row_gives_columns_without_values(path: Path):
    with PointInTimeJoin(entities(pa.array([], pa.string()), []), {}, created_before=False) as join:
        positions = join.positions(view(path))
        values = {
            name: pa.chunked_array(parts)
            for name, parts in join.features(view(path), RowSelection.at(positions))
        }
    assert {name: len(one) for name, one in values.items()} == {"n": 0, "labels": 0}
    assert values["n"].type == pa.int64()


def test_a_table_that_shrinks_between_two_reads_is_told(path: Path):
    with PointInTimeJoin(entities(pa.array(["anna"]), [2.5]), {}, created_before=False) as join:
        asked = RowSelection.at(join.positions(view(path)))
        pq.write_table(pq.read_table(path).slice(0, 2), path)
        with pytest.raises(FeatureError, match=r"expected 1 rows of .* received 0"):
            list(join.features(view(path), asked))


def test_several_keys_have_to_be_equal_all_together(tmp_path: Path):
    rows = pa.table(
        {
            "user_id": ["a", "a", "b", "b", None, "a"],
            "item_id": [1, 2, 1, 2, 1, None],
            "shop_id": ["x", "x", "x", "y", "x", "x"],
            "known_at": pa.array([hour(0)] * 6, STAMP),
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    asked = entities(pa.array(["b", "a", "a", "b", None, "b"]), [1] * 6)
    asked = asked.append_column("item_id", pa.array([2, 2, 1, 1, 1, 2]))
    asked = asked.append_column("shop_id", pa.array(["y", "x", "y", "x", "x", "x"]))
    keys = tuple((name, name) for name in ("user_id", "item_id", "shop_id"))
    of_three = replace(view(tmp_path / "rows.parquet"), keys=keys)
    with PointInTimeJoin(asked, {}, created_before=False) as join:
        assert join.positions(of_three).tolist() == [3, 1, -1, 2, -1, -1]
