"""One item is made while the one before it is used."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.features.one_ahead import one_ahead


def test_items_come_in_order_even_those_that_are_nothing():
    assert list(one_ahead(iter([3, None, 0, 1]))) == [3, None, 0, 1]
    assert list(one_ahead(iter([]))) == []


def test_the_next_item_is_made_meanwhile_and_no_further_one():
    made: list[int] = []
    second = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    items = one_ahead(numbers())
    assert next(items) == 0
    assert second.wait(timeout=10)
    assert made == [0, 1]
    assert list(items) == [1, 2, 3]


def test_what_making_an_item_raises_comes_after_the_items_before_it():
    def breaks() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    items = one_ahead(breaks())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no second"):
        next(items)


def test_a_reader_that_stops_early_ends_the_thread():
    items = one_ahead(iter(range(10)))
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]  # a generator
    assert not [one for one in threading.enumerate() if one.name.startswith("one-ahead")]
