"""Identifiers, numbers, flags and lists come in many shapes and leave in one."""

from datetime import date

import polars as pl
import pytest

from pipelines.ingest.cleaning.values import (
    to_flag,
    to_identifier,
    to_list,
    to_number,
    to_position,
    to_stock,
    to_text,
)


def test_whole_numbers_are_identifiers_without_a_fraction():
    assert to_identifier(pl.Series([7, None])).values.to_list() == ["7", None]
    assert to_identifier(pl.Series([7.0, None, float("nan")])).values.to_list() == ["7", None, None]
    assert to_identifier(pl.Series(["7.00"]).cast(pl.Decimal(10, 2))).values.to_list() == ["7"]


def test_a_fraction_is_no_identifier():
    assert to_identifier(pl.Series([7.5])).unreadable.to_list() == [True]


def test_identifiers_of_text_keep_their_zeros():
    assert to_identifier(pl.Series([" 007 "])).values.to_list() == ["007"]


def test_a_whole_number_has_one_reading_as_text_and_as_float_and_a_column_that_mixes_both_is_warned_of():
    read = to_identifier(pl.Series(["17850.0", "13047", "1.5", "a.0", "1.0.0", None]))
    assert read.values.to_list() == ["17850", "13047", "1.5", "a.0", "1.0.0", None]
    assert read.warnings == ("1 whole numbers are written with .0 and 1 without; both are read without it",)
    assert to_identifier(pl.Series([17850.0, None])).values.to_list() == ["17850", None]
    assert to_identifier(pl.Series(["17850.0"])).warnings == ()


@pytest.mark.parametrize(
    ("written", "is_rounded"),
    [
        ("4.00638E+12", True),
        ("4,00638E+12", True),
        ("4E+12", True),
        ("1E5", False),
        ("2E10", False),
        ("SKU+12", False),
    ],
)
def test_an_id_that_a_spreadsheet_rounded_is_refused_and_one_that_only_looks_alike_is_not(
    written: str, is_rounded: bool
):
    read = to_identifier(pl.Series([written, "x"]))
    assert read.values.to_list() == [None if is_rounded else written, "x"]
    assert [one.mask.to_list() for one in read.refused] == ([[True, False]] if is_rounded else [])


def test_stock_is_read_from_flags_pieces_and_states_of_feeds():
    written = ["yes", "0", "17", "in_stock", "Out of stock", "sold out", "preorder", "perhaps", None]
    read = to_stock(pl.Series(written))
    assert read.values.to_list() == [True, False, True, True, False, False, True, None, None]
    assert read.unreadable.to_list() == [False] * 7 + [True, False]
    assert to_stock(pl.Series([3, 0])).values.to_list() == [True, False]


@pytest.mark.parametrize("value", [True, date(2024, 5, 1), [1]])
def test_other_sorts_of_values_are_no_identifiers(value: object):
    assert to_identifier(pl.Series([value])).unreadable.to_list() == [True]


def test_bytes_are_text_where_they_are_utf_8():
    read = to_identifier(pl.Series([b"a1", b"\xff", None]))
    assert read.values.to_list() == ["a1", None, None]
    assert read.unreadable.to_list() == [False, True, False]


def test_texts_that_stand_for_nothing_are_missing_and_counted():
    read = to_text(pl.Series(["NULL", "\\N", "nan", "", "null island"]))
    assert read.values.to_list() == [None, None, None, None, "null island"]
    assert read.steps["texts such as NULL taken as missing"] == 3


def test_trimmed_texts_are_counted():
    assert to_text(pl.Series([" a", "b ", "c"])).steps == {"texts trimmed": 2}


@pytest.mark.parametrize("written", ["$3", "3 EUR", "abc", "inf", "1,2,3", "0x10"])
def test_what_is_no_plain_number_is_unreadable(written: str):
    assert to_number(pl.Series([written])).unreadable.to_list() == [True]


def test_nan_is_a_missing_number():
    read = to_number(pl.Series([float("nan"), 1.0]))
    assert read.values.to_list() == [None, 1.0]
    assert read.unreadable.to_list() == [False, False]
    assert read.steps == {"NaN taken as missing": 1}


def test_a_flag_is_no_number():
    assert to_number(pl.Series([True])).unreadable.to_list() == [True]


def test_positions_are_whole_and_fit_into_32_bits():
    read = to_position(pl.Series(["1", "2.5", "3000000000", None]))
    assert read.values.to_list() == [1, None, None, None]
    assert read.unreadable.to_list() == [False, True, True, False]


def test_flags_are_read_from_words_and_digits():
    assert to_flag(pl.Series(["Yes", "0", " true ", "F", None])).values.to_list() == [
        True,
        False,
        True,
        False,
        None,
    ]
    assert to_flag(pl.Series([1, 0])).values.to_list() == [True, False]
    assert to_flag(pl.Series(["perhaps"])).unreadable.to_list() == [True]


def test_lists_are_split_trimmed_and_without_repetitions():
    assert to_list(pl.Series(["red| big||red"])).values.to_list() == [["red", "big"]]
    assert to_list(pl.Series([[" red", None, "red"], None])).values.to_list() == [["red"], None]
    assert to_list(pl.Series([[1, 2]])).values.to_list() == [["1", "2"]]
    assert to_list(pl.Series([3])).unreadable.to_list() == [True]
