"""Backfilling one past day, by Airflow's own backfill."""

import pytest

BACKFILL = """
import pendulum
from airflow.cli.cli_parser import get_parser
from airflow.models import DagRun
from airflow.utils.session import create_session
from dags.windows import backfilled_day

def airflow(*words):
    arguments = get_parser().parse_args(words)
    arguments.func(arguments)

airflow("dags", "reserialize")
day = sys.argv[1]
airflow("backfill", "create", "--dag-id", "ingest", "--from-date", day, "--to-date", day,
        "--dag-run-conf", '{"source": "complete-journey"}')
with create_session() as session:
    runs = session.query(DagRun).filter(DagRun.dag_id == "ingest").all()
    tell([{"conf": run.conf, **backfilled_day(run)} for run in runs])
"""


@pytest.mark.slow
def test_a_backfill_of_one_past_day_is_one_run_that_takes_that_whole_day(in_airflow):
    assert in_airflow(BACKFILL, "2017-05-03", migrated=True, limit_s=240) == [
        {
            "conf": {"source": "complete-journey"},
            "since": "2017-05-03T00:00:00+00:00",
            "until": "2017-05-04T00:00:00+00:00",
        }
    ]
