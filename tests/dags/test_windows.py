"""Which day a run works on."""

from datetime import UTC, datetime
from types import SimpleNamespace

from dags.windows import backfilled_day

DAY = {
    "data_interval_start": datetime(2017, 5, 3, tzinfo=UTC),
    "data_interval_end": datetime(2017, 5, 4, tzinfo=UTC),
}


def test_a_backfill_takes_exactly_its_day():
    run = SimpleNamespace(run_type="backfill", **DAY)
    assert backfilled_day(run) == {"since": "2017-05-03T00:00:00+00:00", "until": "2017-05-04T00:00:00+00:00"}


def test_every_other_run_goes_on_from_the_watermark():
    for kind in ("scheduled", "manual", "asset_triggered"):
        assert backfilled_day(SimpleNamespace(run_type=kind, **DAY)) == {"since": None, "until": None}


INTERVALS = """
import pendulum
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
dag = DagSerialization.from_dict(DagSerialization.to_dict(DagBag("dags").dags["ingest"]))
first, last_day = pendulum.datetime(2026, 3, 1, tz="UTC"), pendulum.datetime(2026, 3, 3, tz="UTC")
restriction = TimeRestriction(first, last_day, True)
found = []
last = None
while (info := dag.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)):
    last = info.data_interval
    found.append([last.start.isoformat(), last.end.isoformat()])
tell(found)
"""


def test_each_scheduled_day_is_one_whole_utc_day(in_airflow):
    # Plain "@daily" would give empty intervals, start = end, and a backfill would take nothing.
    assert in_airflow(INTERVALS) == [
        ["2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"],
        ["2026-03-02T00:00:00+00:00", "2026-03-03T00:00:00+00:00"],
        ["2026-03-03T00:00:00+00:00", "2026-03-04T00:00:00+00:00"],
    ]


PLAIN_DAILY = """
import pendulum
from airflow.sdk import dag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

@dag(schedule="@daily", start_date=pendulum.datetime(2026, 3, 1, tz="UTC"))
def plain():
    pass

timetable = DagSerialization.from_dict(DagSerialization.to_dict(plain())).timetable
restriction = TimeRestriction(pendulum.datetime(2026, 3, 1, tz="UTC"), None, True)
interval = timetable.next_dagrun_info(
    last_automated_data_interval=None, restriction=restriction
).data_interval
tell([interval.start.isoformat(), interval.end.isoformat()])
"""


def test_upstream_still_gives_plain_daily_an_empty_interval(in_airflow):
    start, end = in_airflow(PLAIN_DAILY)
    assert start == end
