"""Which rows of a table are asked for, and where each row of the answer finds its own among them."""

import numpy as np
import pyarrow as pa

from pipelines.features.offline_store.row_selection import RowSelection, in_parts


def asked_at(*positions: int) -> RowSelection:
    return RowSelection.at(np.array(positions, np.int32))


def test_of_many_rows_only_those_asked_for_are_read_and_counted():
    asked = asked_at(6, -1, 1, 6)
    assert asked.mask.tolist() == [False, True, False, False, False, False, True]
    assert [part.numbers.to_pylist() for part in asked.parts] == [[1, None, 0, 1]]


def test_where_most_rows_are_asked_for_the_few_between_them_are_read_as_well():
    asked = asked_at(4, 0, -1, 3)
    assert asked.mask.tolist() == [True] * 5
    assert [part.numbers.to_pylist() for part in asked.parts] == [[4, 0, None, 3]]


def test_nothing_known_and_nothing_asked_read_nothing():
    assert (len(asked_at(-1, -1).mask), asked_at(-1, -1).parts[0].numbers.to_pylist()) == (0, [None, None])
    assert (len(asked_at().mask), len(asked_at().parts), len(asked_at().parts[0].numbers)) == (0, 1, 0)


def test_places_come_in_parts_with_what_is_known_of_each_bit_by_bit():
    first, second = in_parts(pa.array([5, None, 7, 8, 9], pa.int32()), 3)
    assert (first.numbers.to_pylist(), first.filled.to_pylist()) == ([5, None, 7], [5, 0, 7])
    assert first.known is not None
    assert first.known.to_pybytes() == bytes([0b101])
    assert (second.filled.to_pylist(), second.known) == ([8, 9], None)


def test_a_part_falls_into_pieces():
    (part,) = in_parts(pa.array([5, None, 7], pa.int32()))
    assert [piece.to_pylist() for piece in part.in_pieces(2)] == [[5, None], [7]]
    assert [len(piece) for piece in in_parts(pa.array([], pa.int32()))[0].in_pieces(2)] == [0]
