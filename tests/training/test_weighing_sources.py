"""Which sources are set aside: those without which nearly everything is still found."""

import numpy as np

from pipelines.training.retrieval.sources import idle_sources


def found_by(*counts: tuple[int, str]) -> np.ndarray:
    """[H, 3] which of the sources a, b and c found each of so many items."""
    rows = [[name in finders for name in "abc"] for count, finders in counts for _ in range(count)]
    return np.array(rows, bool).reshape(-1, 3)


def test_a_source_that_finds_what_others_find_goes():
    assert idle_sources(found_by((500, "ab"), (400, "a"), (100, "c")), ("a", "b", "c")) == ["b"]


def test_of_two_that_find_the_same_one_stays():
    idle = idle_sources(found_by((500, "ab"), (500, "c")), ("a", "b", "c"))
    assert len(idle) == 1
    assert idle[0] in ("a", "b")


def test_sources_that_each_find_their_own_all_stay():
    assert idle_sources(found_by((300, "a"), (300, "b"), (400, "c")), ("a", "b", "c")) == []


def test_one_source_alone_stays_and_where_nothing_was_found_nothing_is_decided():
    assert sorted(idle_sources(found_by((9, "a")), ("a", "b", "c"))) == ["b", "c"]
    assert idle_sources(found_by(), ("a", "b", "c")) == []
