"""Which sources are set aside: those without which nearly everything is still found."""

import numpy as np

from pipelines.training.retrieval.source_weights import best_weights, redundant_sources


def found_by(*counts: tuple[int, str]) -> np.ndarray:
    """[H, 3] which of the sources a, b and c found each of so many items."""
    rows = [[name in finders for name in "abc"] for count, finders in counts for _ in range(count)]
    return np.array(rows, bool).reshape(-1, 3)


def test_a_source_that_finds_what_others_find_goes():
    assert redundant_sources(found_by((500, "ab"), (400, "a"), (100, "c")), ("a", "b", "c")) == ["b"]


def test_of_two_that_find_the_same_one_stays():
    idle = redundant_sources(found_by((500, "ab"), (500, "c")), ("a", "b", "c"))
    assert len(idle) == 1
    assert idle[0] in ("a", "b")


def test_sources_that_each_find_their_own_all_stay():
    assert redundant_sources(found_by((300, "a"), (300, "b"), (400, "c")), ("a", "b", "c")) == []


def test_one_source_alone_stays_and_where_nothing_was_found_nothing_is_decided():
    assert sorted(redundant_sources(found_by((9, "a")), ("a", "b", "c"))) == ["b", "c"]
    assert redundant_sources(found_by(), ("a", "b", "c")) == []


def found(first: int, second: int = 0) -> np.ndarray:
    """[1000] one item found for so many of the first requests, and for so many of the last."""
    return np.concatenate([np.ones(first), np.zeros(1_000 - first - second), np.ones(second)])


def test_a_weight_is_changed_where_more_is_found_than_by_chance():
    # At half its weight the second source finds 4 items more, at a quarter 9 more; the third source then
    # finds two others and loses one, which chance does as well: one more, give or take 1.7.
    told = {(1.0, 0.5, 1.0): found(404), (1.0, 0.25, 1.0): found(409), (1.0, 0.25, 4.0): found(408, 2)}
    received = best_weights([1.0, 1.0, 1.0], [1, 2], lambda tried: told.get(tuple(tried), found(400)))
    assert received == [1.0, 0.25, 1.0]


def test_a_source_that_was_set_aside_keeps_its_weight():
    tried: list[list[float]] = []

    def nothing(weights: list[float]) -> np.ndarray:
        tried.append(weights)
        return np.zeros(3)

    assert best_weights([1.0, 0.05], [0], nothing) == [1.0, 0.05]
    assert {weights[1] for weights in tried} == {0.05}
    assert len(tried) == 5
