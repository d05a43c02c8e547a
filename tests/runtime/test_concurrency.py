"""A few things are worked on at the same time, and come in order."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.runtime.concurrency import map_ordered


def test_results_come_in_the_order_of_the_items_whichever_is_ready_first():
    second_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_done.wait(10)
        if item == 1:
            second_done.set()
        return item * 10

    assert list(map_ordered(work, range(5), 2)) == [0, 10, 20, 30, 40]


def test_no_more_items_are_taken_than_are_under_way():
    taken = []

    def items() -> Iterator[int]:
        for item in range(9):
            taken.append(item)
            yield item

    results = map_ordered(lambda item: item, items(), 2)
    assert next(results) == 0
    assert taken == [0, 1, 2]
    assert list(results) == list(range(1, 9))


def test_what_the_work_raises_is_raised_where_its_result_is_asked_for():
    results = map_ordered(lambda item: 1 // item, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(map_ordered(str, [], 2)) == []


def test_whoever_stops_early_leaves_no_thread_behind():
    results = map_ordered(str, range(10), 1)
    assert next(results) == "0"
    results.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("at-once")]
