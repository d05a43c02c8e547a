"""The history of champions as a list of moves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ReleaseError
from pipelines.release.champion_history import (
    KEPT_ENTRIES,
    Move,
    champion_before,
    line_of_champions,
    read_moves,
    with_move_by_hand,
    write_moves,
)

DAY = datetime(2024, 5, 1, tzinfo=UTC)


def moves(*steps: tuple[str, int]) -> tuple[Move, ...]:
    kinds = {"p": "promotion", "r": "rollback", "h": "by hand"}
    return tuple(
        Move(version=version, kind=kinds[kind], at=DAY + timedelta(days=n), by="kim", reason="because")
        for n, (kind, version) in enumerate(steps)
    )


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([], ()),
        ([("p", 1)], (1,)),
        ([("p", 1), ("p", 2)], (1, 2)),
        ([("p", 1), ("p", 2), ("r", 1)], (1,)),
        ([("p", 1), ("p", 2), ("p", 3), ("r", 2), ("r", 1)], (1,)),
        ([("p", 1), ("p", 2), ("r", 1), ("p", 3)], (1, 3)),
        ([("p", 1), ("h", 4), ("p", 2)], (1, 4, 2)),
        ([("p", 1), ("p", 2), ("h", 1)], (1, 2, 1)),
        ([("p", 1), ("p", 1)], (1,)),
        ([("p", 2), ("r", 1)], (2, 1)),
    ],
)
def test_the_line_of_champions_follows_the_moves(steps, line):
    assert line_of_champions(moves(*steps)) == line


@pytest.mark.parametrize(
    ("steps", "available", "before"),
    [
        ([("p", 1), ("p", 2)], {1, 2}, 1),
        ([("p", 1), ("p", 2), ("p", 3)], {1, 3}, 1),
        ([("p", 1), ("p", 2), ("r", 1)], {1, 2}, None),
        ([("p", 1), ("p", 2), ("r", 1), ("p", 3)], {1, 2, 3}, 1),
        ([("p", 1), ("p", 2), ("h", 1)], {1, 2}, 2),
        ([("p", 1), ("p", 2)], {2}, None),
        ([("p", 2), ("h", 3), ("h", 2)], {2}, None),
        ([], {1}, None),
    ],
)
def test_the_champion_before_is_the_nearest_earlier_one_that_is_still_there(steps, available, before):
    assert champion_before(moves(*steps), available) == before


def test_a_champion_that_no_move_explains_was_moved_by_hand():
    noticed = with_move_by_hand(moves(("p", 1)), 3, DAY)
    assert [(move.version, move.kind, move.by) for move in noticed] == [
        (1, "promotion", "kim"),
        (3, "by hand", "unknown"),
    ]
    assert noticed[-1].at == DAY


def test_a_champion_that_the_last_move_explains_adds_nothing():
    known = moves(("p", 1), ("p", 3))
    assert with_move_by_hand(known, 3, DAY) == known
    assert with_move_by_hand(known, None, DAY) == known


@given(st.lists(st.tuples(st.sampled_from("prh"), st.integers(1, 6)), max_size=30))
def test_the_last_of_the_line_is_the_version_of_the_last_move(steps):
    line = line_of_champions(moves(*steps))
    assert line[-1:] == tuple(version for _, version in steps[-1:])


@given(st.lists(st.tuples(st.sampled_from("prh"), st.integers(1, 6)), max_size=10))
def test_moves_are_read_as_they_were_written(steps):
    assert read_moves(write_moves(moves(*steps))) == moves(*steps)


def test_the_oldest_moves_are_let_go_and_the_tag_stays_within_what_mlflow_takes():
    many = [
        Move(version=n, kind="promotion", at=DAY, by="kim", reason="r" * 300) for n in range(KEPT_ENTRIES + 5)
    ]
    text = write_moves(many)
    assert len(text) < 100_000
    assert [move.version for move in read_moves(text)] == list(range(5, KEPT_ENTRIES + 5))


@pytest.mark.parametrize("text", ["1,2,3", '{"version": 1}', '[{"version": 1}]', '[{"version": 1, "at": 3}]'])
def test_a_changed_tag_is_one_clear_error(text):
    with pytest.raises(ReleaseError, match="champion_history"):
        read_moves(text)


def test_no_tag_is_no_history():
    assert read_moves(None) == ()
    assert read_moves("") == ()
