"""The newest row known, found among sorted numbers, is the one that a look at every row finds."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.features.offline_store import asof_search
from pipelines.features.offline_store.asof_search import AsofIndex, Instants

ASKED = st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(-3, 12))
STORED = st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(-2, 10))


def by_hand(asked: list[tuple], stored: list[tuple], ttl: int | None) -> list[int]:
    """Look at every row for every entity row; all stored rows differ."""

    def newest(key: int | None, at: int | None) -> int:
        if key is None or at is None:
            return -1
        known = [
            (known_at, place)
            for place, (row_key, known_at) in enumerate(stored)
            if row_key == key and known_at is not None and known_at <= at
        ]
        known_at, place = max(known, default=(0, -1))
        return -1 if ttl and at - known_at > ttl else place

    return [newest(*one) for one in asked]


def columns(rows: list[tuple]) -> list[pa.Array]:
    keys, at = ([row[place] for row in rows] for place in (0, 1))
    return [pa.array(keys, pa.int32()), pa.array(at, pa.int64())]


@pytest.mark.parametrize("cells_of_a_row", [0, 1_000])
@given(
    asked=st.lists(ASKED, max_size=20),
    stored=st.lists(STORED, max_size=20, unique=True),
    ttl=st.integers(0, 5),
)
def test_the_search_finds_what_a_look_at_every_row_finds(cells_of_a_row, asked, stored, ttl):
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(asof_search, "CELLS_OF_A_ROW", cells_of_a_row)
        changed.setattr(asof_search, "ROWS_AT_ONCE", 7)
        rows = AsofIndex(*columns(stored), lookups=len(asked))
        found = rows.newest(*columns(asked), timedelta(microseconds=ttl))
    assert found.tolist() == by_hand(asked, stored, ttl)


def test_of_one_instant_the_row_created_last_is_found_and_one_without_creation_comes_first():
    keys, at = pa.array([0, 0, 0, 1, 1], pa.int32()), pa.array([5, 5, 5, 5, 5])
    rows = AsofIndex(keys, at, pa.array([2, 3, None, None, 1]), lookups=2)
    assert rows.newest(pa.array([0, 1], pa.int32()), pa.array([5, 9])).tolist() == [1, 4]


@pytest.mark.parametrize("most_points", [0, 1_000])
@given(
    instants=st.lists(st.integers(-5, 5), max_size=6, unique=True),
    step=st.sampled_from([1, 7, 86_400_000_000]),
    start=st.sampled_from([0, 3, -(10**15)]),
    at=st.lists(st.tuples(st.integers(-7, 7), st.integers(-1, 1)), max_size=9),
)
def test_the_rank_of_an_instant_is_that_of_the_last_one_not_later(most_points, instants, step, start, at):
    known = sorted(start + one * step for one in instants)
    asked = [start + one * step + more for one, more in at]
    ranks = Instants(np.array(known, np.int64), most_points).ranks(np.array(asked, np.int64))
    assert ranks.tolist() == [sum(one <= moment for one in known) - 1 for moment in asked]


def test_rows_are_in_order_where_number_and_place_do_not_fit_into_one():
    keys, at = pa.array([2**60, 0, 2**60, 2**60]), pa.array([1, 5, 2, 1])
    rows = AsofIndex(keys, at, pa.array([1, 1, 1, 2]))
    found = rows.newest(pa.array([2**60, 2**60, 0]), pa.array([1, 9, 9]))
    assert found.tolist() == [3, 2, 1]
