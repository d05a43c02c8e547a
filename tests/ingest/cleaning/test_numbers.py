"""The decimal mark of a number is that of its column, and nobody guesses where nothing tells."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.cleaning.column_result import Normalised
from pipelines.ingest.cleaning.numbers import DecimalMarks
from pipelines.ingest.cleaning.values import to_number


def read(*written: str, marks: DecimalMarks | None = None, money: bool = False) -> Normalised:
    return to_number(pl.Series(written), marks, "price", money=money)


def ambiguous(result: Normalised) -> list[bool]:
    return result.refused[0].mask.to_list() if result.refused else [False] * len(result.values)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (("12,50", "1.234,50", "1.299", "899", "12.500"), [12.5, 1234.5, 1299.0, 899.0, 12500.0]),
        (("12,50", "1,800", "1,2345"), [12.5, 1.8, 1.2345]),
        (("12.50", "1.299", "1,299"), [12.5, 1.299, 1299.0]),
        (("0,125", "1,250"), [0.125, 1.25]),
        (("1.234.567", "1.299"), [1234567.0, 1299.0]),
        (("1,23,456", "1,299"), [123456.0, 1299.0]),
        (("1e3", "-.5", "12", "+7."), [1000.0, -0.5, 12.0, 7.0]),
        (("1 234 567,50", "1'234,5", "1\u202f299,00"), [1234567.5, 1234.5, 1299.0]),
    ],
)
def test_the_column_decides_what_its_marks_mean(written: tuple[str, ...], values: list[float]):
    result = read(*written)
    assert result.values.to_list() == values
    assert not any(ambiguous(result))
    assert result.warnings == ()


def test_a_number_with_two_readings_is_refused_where_nothing_tells():
    result = read("1.299", "899", "2,500")
    assert result.values.to_list() == [None, 899.0, None]
    assert ambiguous(result) == [True, False, True]
    assert result.unreadable.to_list() == [False, False, False]


def test_a_column_that_mixes_marks_is_warned_of_and_read_where_a_value_tells_itself():
    result = read("1,234.50", "3,99", "1,234", "12")
    assert result.values.to_list() == [1234.5, 3.99, None, 12.0]
    assert ambiguous(result) == [False, False, True, False]
    assert "1 values have a decimal comma and 1 a decimal point" in result.warnings[0]


def test_other_columns_of_the_file_tell_where_the_column_does_not_and_then_its_separator():
    marks = DecimalMarks(fallback=",")
    read("12.50", marks=marks)
    assert to_number(pl.Series(["1.299"]), marks, "discount").values.to_list() == [1.299]
    assert to_number(pl.Series(["1.299"]), DecimalMarks(fallback=","), "x").values.to_list() == [1299.0]


def test_what_the_mapping_says_counts_before_what_the_values_say():
    result = read("12.50", "1.299", "3,5", marks=DecimalMarks(declared=","))
    assert result.values.to_list() == [12.5, 1299.0, 3.5]
    assert result.warnings == ()


def test_later_rows_of_a_file_are_read_like_earlier_ones():
    marks = DecimalMarks()
    read("12,50", marks=marks)
    assert read("1.299", marks=marks).values.to_list() == [1299.0]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("$12.50", 12.5),
        ("12.50 USD", 12.5),
        ("€ 12,50", 12.5),
        ("1,234.50 EUR", 1234.5),
        ("£9", 9.0),
        ("CHF 12.-", 12.0),
        ("-€5", -5.0),
        ("Rs. 500", 500.0),
        ("12,50 zł", 12.5),
        ("US$ 4", 4.0),
        ("R$ 1.234,50", 1234.5),
        ("3 kr", 3.0),
    ],
)
def test_a_currency_beside_a_price_is_taken_off_and_counted(written: str, value: float):
    result = read(written, money=True)
    assert result.values.to_list() == [value]
    assert sum(n for step, n in result.steps.items() if step.startswith("currencies taken off")) == 1
    assert read(written).unreadable.to_list() == [True]


def test_prices_in_several_currencies_are_warned_of():
    assert read("$1", "2 EUR", money=True).warnings == (
        "prices in several currencies, none of them converted: $, EUR",
    )


@pytest.mark.parametrize(
    "written", ["3 pieces", "abc", "1,2,3", "(3)", "1.234,50-", "USD", "3 EUR EUR", "inf"]
)
def test_what_is_no_price_is_unreadable(written: str):
    assert read(written, money=True).unreadable.to_list() == [True]


@given(st.lists(st.decimals(0, 9_999_999, places=2), min_size=1, max_size=20), st.sampled_from([",", "."]))
def test_grouped_numbers_of_two_decimals_are_read_back(numbers: list[object], mark: str):
    texts = [f"{number:,}" for number in numbers]
    if mark == ",":
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    assert read(*texts).values.to_list() == [float(str(number)) for number in numbers]
