"""Values picked by their places, whatever their type: as Arrow's own `take` picks them."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.features.offline_store import gather
from pipelines.features.offline_store.gather import picked
from pipelines.features.offline_store.row_selection import in_parts

STAMP = pa.timestamp("us", tz="UTC")


def test_a_column_is_picked_in_parts_and_by_wide_offsets_where_it_is_long():
    column = pa.chunked_array([[["a", "b"], None], [[None], ["c"]]], pa.list_(pa.string()))
    places = in_parts(pa.array([3, None, 0, 2, 1]), 2)
    expected = [["c"], None, ["a", "b"], [None], None]
    for chunk_bytes in (1, 1_000_000):
        parts = list(picked(column, places, chunk_bytes=chunk_bytes))
        assert [len(part) for part in parts] == [2, 2, 1]
        assert [part.type for part in parts] == [column.type] * 3
        assert pa.chunked_array(parts).to_pylist() == expected


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.int32(), STAMP])
def test_numbers_that_are_all_known_are_picked_with_the_same_gaps(kind: pa.DataType, rows_at_once: int):
    values = pa.array([10, 20, 30], pa.int64()).cast(kind)
    wanted = pa.array([None, 30, 10, None, 20, 30, None, 10, 20], pa.int64()).cast(kind)
    places = in_parts(pa.array([None, 2, 0, None, 1, 2, None, 0, 1]), rows_at_once)
    assert pa.chunked_array(picked(pa.chunked_array([values]), places)).equals(pa.chunked_array([wanted]))


def test_flags_that_are_all_known_are_picked_with_the_same_gaps():
    flags = picked(pa.chunked_array([[True, False]]), in_parts(pa.array([1, None, 0])))
    assert pa.chunked_array(flags).to_pylist() == [False, None, True]


def columns_of(kind: pa.DataType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Array]:
    return st.lists(values, min_size=1, max_size=6).map(lambda rows: pa.array(rows, kind))


def lists_of(values: st.SearchStrategy[Any], length: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=length, max_size=length)


texts = st.none() | st.text(max_size=2)
columns = st.one_of(
    *(columns_of(pa.list_(pa.int64()), lists_of(st.integers(0, 9), length)) for length in (0, 1, 3)),
    columns_of(pa.list_(pa.date32()), lists_of(st.none() | st.dates(date(2024, 1, 1)), 2)),
    columns_of(pa.list_(pa.string()), lists_of(texts, 2)),
    columns_of(pa.list_(pa.string()), st.none() | st.lists(texts, max_size=3)),
    columns_of(pa.string(), texts),
)


@given(values=columns, draw=st.data(), sliced=st.integers(0, 1))
def test_lists_and_texts_are_picked_as_arrow_takes_them(values: pa.Array, draw: st.DataObject, sliced: int):
    values = values.slice(min(sliced, len(values) - 1))
    places = pa.array(
        draw.draw(st.lists(st.none() | st.integers(0, len(values) - 1), max_size=9)), pa.int32()
    )
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(gather, "WIDE_ROWS_AT_ONCE", 2)
        parts = list(picked(pa.chunked_array([values]), in_parts(places, 5)))
    assert {part.type for part in parts} == {values.type}
    assert pa.chunked_array(parts).to_pylist() == values.take(places).to_pylist()
    for part in parts:
        part.validate(full=True)


def test_a_list_that_is_not_known_holds_nothing():
    """Whoever reads offsets alone must not find a length there."""
    column = pa.chunked_array([[[1, 2], [3, 4]]])
    (part,) = picked(column, in_parts(pa.array([1, None, 0])))
    assert part.offsets.to_pylist() == [0, 2, 2, 4]
