from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.errors import BacktestError
from tests.backtest.folders import INSTANT, events_table, write_folder

ROWS = [("a", "p", "view", 0), ("b", "q", "view", 1)]


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def refused(tmp_path, message, events=None, *, with_test=False, **files):
    folder = write_folder(tmp_path, events_table(ROWS) if events is None else events, **files)
    with pytest.raises(BacktestError, match=message):
        read_dataset(folder, with_test=with_test)


def test_a_folder_without_events_is_told_what_to_put_there(tmp_path):
    with pytest.raises(BacktestError, match=r"events\.parquet: expected a Parquet file .* no such file"):
        read_dataset(tmp_path)


def test_what_is_no_parquet_is_told_so(tmp_path):
    (tmp_path / "events.parquet").write_text("user_id,item_id\n")
    with pytest.raises(BacktestError, match=r"events\.parquet: expected a Parquet file, received something"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["user_id", "item_id", "event_type", "event_at"])
def test_a_missing_column_is_named(tmp_path, name):
    refused(tmp_path, f"add or rename {name}", events_table(ROWS).drop_columns([name]))


def test_a_file_without_rows_is_refused(tmp_path):
    refused(tmp_path, "at least one row, received none", events_table(ROWS).slice(0, 0))


def test_times_as_text_are_refused_by_type(tmp_path):
    events = with_column(events_table(ROWS), "event_at", pa.array(["2024-01-01", "2024-01-02"]))
    refused(tmp_path, "expected instants in column event_at, received string", events)


@pytest.mark.parametrize("name", ["user_id", "event_type", "event_at"])
def test_nulls_are_counted_and_placed(tmp_path, name):
    events = events_table(ROWS)
    values = pa.array([events[name][0].as_py(), None], events[name].type)
    refused(tmp_path, rf"column {name}, received 1 nulls, first in row 1", with_column(events, name, values))


def test_only_searches_may_be_without_an_item(tmp_path):
    refused(tmp_path, "in every row but searches, received 1", events_table([*ROWS, ("a", None, "view", 3)]))
    events = events_table([*ROWS, ("a", None, "search", 3), ("a", "p", "impression", 3)])
    dataset = read_dataset(write_folder(tmp_path, events))
    assert dataset.events.num_rows == 2
    assert dataset.passed_over == 2


def test_ratings_outside_their_range_are_shown(tmp_path):
    events = events_table(ROWS, rating=pa.array([3.0, -2.0]))
    refused(tmp_path, r"from 0 to 100 in column rating, received -2 and so on in 1 rows", events)


def test_an_item_described_twice_is_named(tmp_path):
    refused(tmp_path, "one row for each item_id, .* such as p", items=pa.table({"item_id": ["p", "q", "p"]}))


def test_items_and_test_rows_are_checked_too(tmp_path):
    items = pa.table({"item_id": ["p"], "price": ["cheap"]})
    refused(tmp_path, r"items\.parquet: expected numbers in column price, received string", items=items)
    refused(
        tmp_path / "other",
        r"test\.parquet: expected lists of text in column history, received string",
        test=pa.table({"history": ["p"], "target": ["q"]}),
        with_test=True,
    )


def test_explicit_needs_its_test_rows(tmp_path):
    refused(tmp_path, r"test\.parquet: .* no such file", with_test=True)


def test_ids_may_be_numbers_and_times_without_a_zone_are_utc(tmp_path):
    events = pa.table(
        {
            "user_id": pa.array([7, 3]),
            "item_id": pa.array([1, 2]).cast(pa.int32()),
            "event_type": pa.array(["view", "view"]).dictionary_encode(),
            "event_at": pa.array([date(2024, 1, 2), date(2024, 1, 1)]),
            "rating": pa.array([float("nan"), 4]),
        }
    )
    read = read_dataset(write_folder(tmp_path, events)).events
    assert read["user_id"].to_pylist() == ["3", "7"]
    assert read["event_at"].type == INSTANT
    assert read["event_at"][0].as_py().isoformat() == "2024-01-01T00:00:00+00:00"
    assert read["rating"].to_pylist() == [4, None]


def items_of(tmp_path, rows):
    return "".join(read_dataset(write_folder(tmp_path, events_table(rows))).events["item_id"].to_pylist())


NUMBERED = tuple(str(number) for number in range(1, 41))
PADDED = tuple(f"{number:04d}" for number in range(1, 41))


@pytest.mark.parametrize("ids", [NUMBERED, PADDED], ids=["whole numbers", "padded"])
@pytest.mark.parametrize("order", ["ascending", "descending", "by text", "drawn"])
def test_within_an_instant_neither_rows_nor_ids_decide(tmp_path, ids, order):
    # TRAPS: where ids are numbered by first appearance, their order tells what came later.
    written = {
        "ascending": ids,
        "descending": ids[::-1],
        "by text": sorted(ids),
        "drawn": np.random.default_rng(1).permutation(ids).tolist(),
    }
    rows = [("a", item, "view", 5) for item in written[order]] + [("a", "0", "view", 0)]
    read = read_dataset(write_folder(tmp_path / order, events_table(rows))).events["item_id"].to_pylist()
    again = read_dataset(write_folder(tmp_path / "sorted", events_table([rows[-1], *sorted(rows[:-1])])))
    assert read == again.events["item_id"].to_pylist(), "the same events are in the same order"
    assert read[0] == "0", "time decides before all else"
    assert sorted(read[1:]) == sorted(ids)
    numbers = np.array([int(item) for item in read[1:]])
    assert abs(np.corrcoef(numbers, np.arange(40))[0, 1]) < 0.4


def test_other_columns_are_passed_over(tmp_path):
    write_folder(tmp_path, events_table(ROWS, colour=pa.array(["red", "blue"])))
    assert "colour" not in read_dataset(tmp_path).events.column_names
    assert "colour" in pq.read_schema(tmp_path / "events.parquet").names
