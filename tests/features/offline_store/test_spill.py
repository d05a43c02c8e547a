"""Columns beyond what memory is given lie in a file, with the same values and types."""

import mmap
from collections.abc import Iterator

import pyarrow as pa
import pytest

from pipelines.errors import FeatureError
from pipelines.features.offline_store.spill import SpilledColumns

NUMBERS = pa.array([1, None, 3], pa.int64())
LISTS = pa.array([["a", None], [], None, ["b"]], pa.list_(pa.string()))


def parts(whole: pa.Array) -> Iterator[pa.Array]:
    """One value at a time."""
    return (whole.slice(place, 1) for place in range(len(whole)))


@pytest.mark.parametrize("memory_bytes", [0, 10, 25, 1_000_000])
def test_columns_are_what_their_parts_were(memory_bytes: int):
    kept = SpilledColumns(memory_bytes)
    numbers, lists = kept.keep(parts(NUMBERS)), kept.keep(parts(LISTS))
    assert (numbers.type, lists.type) == (NUMBERS.type, LISTS.type)
    assert numbers.to_pylist() == [1, None, 3]
    assert lists.to_pylist() == [["a", None], [], None, ["b"]]


def test_what_goes_beyond_memory_is_not_held_in_it():
    long = pa.array(range(100_000))
    before = pa.total_allocated_bytes()
    column = SpilledColumns(memory_bytes=1_000).keep(iter([long.slice(0, 50_000), long.slice(50_000)]))
    assert pa.total_allocated_bytes() - before < 10_000
    assert column.to_pylist() == list(range(100_000))


def test_a_small_column_after_a_long_one_stays_in_memory():
    kept = SpilledColumns(memory_bytes=1_000)
    kept.keep(iter([pa.array(range(1_000))]))
    before = pa.total_allocated_bytes()
    small = kept.keep(iter([pa.array([7] * 50)]))
    assert pa.total_allocated_bytes() - before >= 50 * 8
    assert small.to_pylist() == [7] * 50


def test_an_answer_without_rows_keeps_its_type():
    column = SpilledColumns(0).keep(iter([NUMBERS.slice(0, 0)]))
    assert (column.type, len(column)) == (pa.int64(), 0)


def test_a_full_disk_is_said_in_words(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> mmap.mmap:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.features.offline_store.spill.mmap.mmap", full)
    with pytest.raises(FeatureError, match="TMPDIR"):
        SpilledColumns(0).keep(parts(NUMBERS))
