"""# ingest: shop data into the lake.

**Why.** Everything later reads the lake, never the shop. Each night this takes what is new at the
shop and what the serving process acknowledged since, into the Delta tables `events`, `items` and
`users`. Rows that break a contract go to `quarantine` with their reason.

**Owner.** Aisle data engineering.

**Healthy when** `rows_in = accepted + duplicates + quarantined` (checked in every run), and
quarantined rows stay a small share. On a day without new rows `anything_new` stops the run here,
and nothing downstream is rebuilt. `check_taken` fails where too much was refused, or all of a table or column
(`AISLE_INGEST_MAX_REFUSED_SHARE`, `AISLE_INGEST_MAX_REFUSED_ROWS`); what was good is taken and announced.

**When it fails.** The error names the file, table or column, what was expected and what to do; the
lake is unchanged, so correct the source and clear the task. `check_taken` says which rows and columns:
`aisle quarantine list` and `aisle quarantine show --batch B` show them. Correct the source or its mapping and
run again: rows taken already are not taken twice.

**One past day again.** `airflow backfill create --dag-id ingest --from-date D --to-date D` takes
exactly the events of day D, once more, whatever the watermark says.

**Another source.** Trigger with `{"source": "..."}`: a file or folder, `mysql://…`, `s3://…` or
`complete-journey`. Unset, it is setting `AISLE_SHOP_SOURCE`.
"""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from dags.assets import SHOP_DATA
from dags.fleet import START_DATE, TASK_DEFAULTS
from dags.windows import backfilled_day


@dag(
    # Plain "@daily" has an empty data interval; a backfilled day needs a real one.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params={"source": Param(None, type=["null", "string"], description="Where the shop's data is")},
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["aisle", "data"],
)
def ingest() -> None:
    """Take shop data and served events into the lake."""

    @task
    def take_in(params, dag_run):
        from pipelines.ingest import take_in

        return take_in(params["source"], **backfilled_day(dag_run))

    @task.short_circuit(execution_timeout=timedelta(minutes=5))
    def anything_new(taken):
        return taken["accepted"] > 0

    @task(execution_timeout=timedelta(minutes=5))
    def check_taken(taken):
        from pipelines.ingest import check_taken

        check_taken(taken)

    @task(outlets=[SHOP_DATA], execution_timeout=timedelta(minutes=5))
    def announce(taken, outlet_events):
        outlet_events[SHOP_DATA].extra = {"as_of": taken["as_of"], "versions": taken["versions"]}
        return taken["as_of"]

    taken = take_in()
    anything_new(taken) >> announce(taken)
    check_taken(taken)


ingest()
