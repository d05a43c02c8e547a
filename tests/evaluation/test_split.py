from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.errors import EvaluationError
from pipelines.evaluation.split import TimeSplit, Window

YEAR_START = datetime(2017, 1, 1, tzinfo=UTC)
SPANS = st.integers(3600, 400 * 86400).map(lambda seconds: timedelta(seconds=seconds))
STARTS = st.integers(10**9, 19 * 10**8).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def plans():
    return st.builds(
        lambda start, span, days, requests: TimeSplit.plan(start, start + span, days, requests),
        STARTS,
        SPANS,
        st.floats(0.01, 60),
        st.integers(1, 8),
    )


def test_a_year_of_events_gives_the_windows_worked_out_by_hand():
    split = TimeSplit.plan(YEAR_START, datetime(2018, 1, 1, tzinfo=UTC), horizon_days=14)
    assert split.test_from == datetime(2017, 12, 18, tzinfo=UTC)
    assert split.validation_from == datetime(2017, 12, 4, tzinfo=UTC)
    assert split.ranking_instants == (
        datetime(2017, 10, 30, tzinfo=UTC),
        datetime(2017, 11, 6, tzinfo=UTC),
        datetime(2017, 11, 13, tzinfo=UTC),
        datetime(2017, 11, 20, tzinfo=UTC),
    )
    assert split.retrieval_until == datetime(2017, 10, 30, tzinfo=UTC)
    assert split.test == Window(starts_at=split.test_from, ends_at=datetime(2018, 1, 1, tzinfo=UTC))
    assert split.validation == Window(starts_at=split.validation_from, ends_at=split.test_from)


def test_a_short_shop_gets_a_shorter_horizon():
    # 4 requests need 4.5 horizons; 60 % of 30 days are 18 days, so each horizon is 4 days.
    split = TimeSplit.plan(YEAR_START, YEAR_START + timedelta(days=30), horizon_days=14)
    assert split.horizon == timedelta(days=4)
    assert split.retrieval_until == YEAR_START + timedelta(days=12)


def test_a_shop_of_one_day_is_split_to_the_second():
    split = TimeSplit.plan(YEAR_START, YEAR_START + timedelta(days=1), ranking_requests=1)
    assert split.horizon == timedelta(seconds=int(86400 * 0.6 / 3))


@given(plans())
def test_windows_follow_each_other_and_end_at_the_cutoff(split):
    marks = [
        split.first_event_at,
        *split.ranking_instants,
        split.validation_from,
        split.test_from,
        split.as_of,
    ]
    assert marks == sorted(marks)
    assert split.retrieval_until == split.ranking_instants[0]
    assert split.validation.ends_at <= split.test.starts_at
    assert split.test.ends_at == split.as_of


@given(plans())
def test_no_row_of_the_future_leaks_into_training(split):
    seconds = np.linspace(0, (split.as_of - split.first_event_at).total_seconds(), 1009)
    first = np.datetime64(split.first_event_at.replace(tzinfo=None), "us")
    events = first + (seconds * 1e6).astype("timedelta64[us]")
    in_test, in_validation = split.test.contains(events), split.validation.contains(events)
    assert not (in_test & in_validation).any()
    for instant in split.ranking_instants:
        labels = split.labels_of(instant)
        in_labels = labels.contains(events)
        before = events < np.datetime64(instant.replace(tzinfo=None), "us")
        assert not (in_labels & before).any()
        assert not (in_labels & (in_test | in_validation)).any()
    retrieval = events < np.datetime64(split.retrieval_until.replace(tzinfo=None), "us")
    assert not (retrieval & (in_test | in_validation)).any()


@given(STARTS, SPANS, st.floats(0.01, 60), st.integers(1, 8))
def test_retrieval_keeps_its_share_and_no_horizon_grows(start, span, days, requests):
    split = TimeSplit.plan(start, start + span, days, requests)
    assert split.retrieval_until - start >= 0.399 * span
    assert timedelta(0) < split.horizon <= timedelta(days=days)


@given(plans())
def test_a_plan_survives_json(split):
    assert TimeSplit.model_validate_json(split.model_dump_json()) == split


def test_a_window_holds_its_start_and_not_its_end():
    window = Window(starts_at=YEAR_START, ends_at=YEAR_START + timedelta(days=1))
    events = np.array(
        ["2016-12-31T23:59:59.999999", "2017-01-01", "2017-01-01T23:59:59.999999", "2017-01-02"]
    )
    assert window.contains(events.astype("datetime64[us]")).tolist() == [False, True, True, False]


def test_a_window_in_another_time_zone_means_the_same_instants():
    tokyo = timezone(timedelta(hours=9))
    window = Window(
        starts_at=datetime(2017, 1, 1, 9, tzinfo=tokyo), ends_at=datetime(2017, 1, 2, 9, tzinfo=tokyo)
    )
    assert window.contains(np.array(["2017-01-01", "2017-01-02"], "datetime64[us]")).tolist() == [True, False]


def test_too_short_a_shop_is_refused_with_what_to_do():
    with pytest.raises(EvaluationError, match=r"at least 1:00:00 of events.*received 0:59:59.*ingest more"):
        TimeSplit.plan(YEAR_START, YEAR_START + timedelta(seconds=3599))


@pytest.mark.parametrize(("days", "requests"), [(0, 4), (-1, 4), (14, 0)])
def test_arguments_out_of_range_are_refused(days, requests):
    with pytest.raises(EvaluationError, match="horizon above 0"):
        TimeSplit.plan(YEAR_START, YEAR_START + timedelta(days=90), days, requests)


def test_overlapping_windows_cannot_be_made_by_hand():
    split = TimeSplit.plan(YEAR_START, YEAR_START + timedelta(days=365))
    later = split.model_dump() | {"validation_from": split.test_from - timedelta(days=1)}
    with pytest.raises(ValidationError, match="without overlap"):
        TimeSplit.model_validate(later)


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValidationError, match="must start before it ends"):
        Window(starts_at=YEAR_START, ends_at=YEAR_START)
