import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.search.spelling import edits, nearest_word

WORDS = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("milk", "milk", 0), ("milk", "mlik", 1), ("milk", "mik", 1), ("milk", "silky", 2), ("", "abc", 3)],
)
def test_edits_are_counted(one: str, other: str, count: int):
    assert edits(one, other) == count


@given(WORDS, WORDS)
def test_edits_are_the_same_both_ways_and_bounded_by_the_longer_word(one: str, other: str):
    assert edits(one, other) == edits(other, one) <= max(len(one), len(other))
    assert (edits(one, other) == 0) == (one == other)


def test_the_nearest_word_is_meant_and_the_more_frequent_one_among_equals():
    assert nearest_word("brad", ["bread", "broad", "bread", "butter"]) == "bread"
    assert nearest_word("chocolte", ["chocolate", "cola"]) == "chocolate"
    assert nearest_word("banna", ["bananas"]) is None, "two edits are too many for five letters"
    assert nearest_word("milk", []) is None
