"""Times of any sort become instants in UTC, or are said to be unreadable."""

from datetime import UTC, date, datetime, time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.cleaning.times import to_utc

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2024-05-01T12:00:00Z", NOON),
        ("2024-05-01 12:00:00", NOON),
        ("2024-05-01T14:00:00+02:00", NOON),
        ("2024-05-01T06:30:00-0530", NOON),
        ("2024-05-01 13:00:00.250 +01", datetime(2024, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2024-05-01 12:00:00 UTC", NOON),
        ("2024/05/01 12:00", NOON),
        ("  2024-05-01T12:00:00Z ", NOON),
        ("2024-05-01T12:00:00.123456789Z", datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("20240501", datetime(2024, 5, 1, tzinfo=UTC)),
        ("20240501120000", NOON),
        ("1714564800", NOON),
        ("1714564800.5", datetime(2024, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("1714564800000", NOON),
        ("1714564800000000", NOON),
        ("1714564800000000000", NOON),
    ],
)
def test_a_time_written_as_text_is_read(written: str, instant: datetime):
    for neighbours in ([], ["20240501"]):  # alone, and beside a shape that takes the slow way
        read = to_utc(pl.Series([written, *neighbours]))
        assert read.values[0] == instant
        assert not read.unreadable[0]


@pytest.mark.parametrize(
    "written",
    [
        "05/06/2024",
        "2024-02-30",
        "2024-05-01T25:00:00",
        "2024-13-01 00:00:00",
        "2024-05-01T12:00:00+99:00",
        "0000-00-00 00:00:00",
        "yesterday",
        "99999999999999999999999",
        "1e400",
    ],
)
def test_what_is_no_time_is_not_guessed_at(written: str):
    read = to_utc(pl.Series([written]))
    assert read.values.to_list() == [None]
    assert read.unreadable.to_list() == [True]


def test_a_missing_time_is_not_unreadable():
    read = to_utc(pl.Series(["", None, "NULL"]))
    assert read.values.to_list() == [None] * 3
    assert read.unreadable.to_list() == [False] * 3


def test_the_size_of_a_number_tells_its_unit():
    numbers = [1_714_564_800, 1_714_564_800_000, 1_714_564_800_000_000, 1_714_564_800_000_000_999]
    read = to_utc(pl.Series(numbers))
    assert read.values.to_list() == [NOON] * 4
    assert read.steps == {
        f"numbers taken as {unit} since 1970": 1
        for unit in ("seconds", "milliseconds", "microseconds", "nanoseconds")
    }


def test_nanoseconds_since_1970_keep_their_last_microsecond():
    (instant,) = to_utc(pl.Series([1_714_564_800_123_456_789])).values
    assert instant == datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def test_nanoseconds_of_a_timestamp_are_cut_to_microseconds():
    nanoseconds = pl.Series([1_714_564_800_123_456_789]).cast(pl.Datetime("ns"))
    read = to_utc(nanoseconds)
    assert read.values.dtype == pl.Datetime("us", "UTC")
    assert read.values.to_list() == [datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)]
    assert read.steps["nanoseconds cut to microseconds"] == 1


def test_a_timestamp_of_another_zone_is_turned_to_utc():
    berlin = pl.Series([NOON]).dt.convert_time_zone("Europe/Berlin")
    read = to_utc(berlin)
    assert read.values.to_list() == [NOON]
    assert read.steps == {"times of other zones turned to UTC": 1}


@pytest.mark.parametrize("as_text", [False, True])
def test_times_without_a_zone_are_those_of_the_shop(as_text: bool):
    winter, summer = datetime(2024, 1, 15, 12), datetime(2024, 7, 15, 12)  # noqa: DTZ001 - a shop's clock
    column = pl.Series([winter, summer])
    read = to_utc(column.dt.to_string("%Y-%m-%d %H:%M:%S") if as_text else column, "Europe/Berlin")
    assert read.values.to_list() == [
        datetime(2024, 1, 15, 11, tzinfo=UTC),
        datetime(2024, 7, 15, 10, tzinfo=UTC),
    ]
    assert read.steps == {"times without a zone taken as Europe/Berlin": 2}


def test_of_the_hour_that_a_clock_shows_twice_the_first_is_meant():
    (instant,) = to_utc(pl.Series(["2024-10-27 02:30:00"]), "Europe/Berlin").values
    assert instant == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_an_hour_that_a_clock_leaps_over_is_unreadable():
    read = to_utc(pl.Series(["2024-03-31 02:30:00"]), "Europe/Berlin")
    assert read.unreadable.to_list() == [True]


def test_a_date_is_its_midnight():
    assert to_utc(pl.Series([date(2024, 5, 1)])).values.to_list() == [datetime(2024, 5, 1, tzinfo=UTC)]


@pytest.mark.parametrize("value", [True, time(12), [1], {"a": 1}, float("inf")])
def test_values_of_other_sorts_are_unreadable(value: object):
    assert to_utc(pl.Series([value])).unreadable.to_list() == [True]


def test_a_missing_number_is_no_time_and_not_unreadable():
    read = to_utc(pl.Series([float("nan"), None, 1_714_564_800.0]))
    assert read.values.to_list() == [None, None, NOON]
    assert read.unreadable.to_list() == [False, False, False]


@given(
    instant=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - given a zone below
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_the_same_in_whatever_offset_it_is_written(instant: datetime, minutes: int):
    sign, hours = "-" if minutes < 0 else "+", abs(minutes)
    shifted = pl.Series([instant]).dt.offset_by(f"{minutes}m")
    written = shifted.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f") + f"{sign}{hours // 60:02d}:{hours % 60:02d}"
    assert to_utc(written).values.to_list() == [instant.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    ("written", "day_first", "instant"),
    [
        ("12/1/2010 8:26", False, datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
        ("12/1/2010 8:26", True, datetime(2010, 1, 12, 8, 26, tzinfo=UTC)),
        ("01.05.2024 10:00", True, datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("1.5.24", True, datetime(2024, 5, 1, tzinfo=UTC)),
        ("1-5-99, 23:59:58.25", True, datetime(1999, 5, 1, 23, 59, 58, 250_000, tzinfo=UTC)),
        ("5/6/2024 12:05 AM", False, datetime(2024, 5, 6, 0, 5, tzinfo=UTC)),
        ("5/6/2024 8:26 p.m.", False, datetime(2024, 5, 6, 20, 26, tzinfo=UTC)),
        ("2024-05-01T10:00:00Z", True, datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("13/13/2024", True, None),
        ("5/6/2024 13:05 PM", False, None),
        ("31/2/2024", True, None),
    ],
)
def test_local_dates_are_read_where_the_mapping_says_which_part_is_the_day(
    written: str, day_first: bool, instant: datetime | None
):
    assert to_utc(pl.Series([written, None]), day_first=day_first).values.to_list() == [instant, None]
    if "T" not in written:
        assert to_utc(pl.Series([written])).unreadable.to_list() == [True]


def test_a_format_of_the_mapping_is_tried_first_and_keeps_its_offset_or_the_shops_zone():
    read = to_utc(
        pl.Series(["1. May 2024 12h00", "2024-05-01", "soon"]), "Europe/Berlin", date_format="%d. %b %Y %Hh%M"
    )
    berlin = datetime(2024, 4, 30, 22, tzinfo=UTC)
    assert read.values.to_list() == [datetime(2024, 5, 1, 10, tzinfo=UTC), berlin, None]
    aware = to_utc(pl.Series(["01.05.2024 10:00 +0200"]), date_format="%d.%m.%Y %H:%M %z")
    assert aware.values.to_list() == [datetime(2024, 5, 1, 8, tzinfo=UTC)]
    assert to_utc(pl.Series([20240501]), date_format="%Y%m%d").values.to_list() == [
        datetime(2024, 5, 1, tzinfo=UTC)
    ]
