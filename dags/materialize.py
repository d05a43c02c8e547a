"""# materialize: features into the online store.

**Why.** Serving and other teams look one user or item up in about a millisecond, from Feast's
online store. This loads it with the values known at `as_of`.

**Owner.** Aisle data engineering.

**Healthy when** the rows loaded are about those of the day before, and `aisle features get --user
ID` answers with today's values.

**When it fails.** Serving keeps answering with the values loaded last, and says so once they are
older than their time to live. Correct the cause and clear the task: loading the same window again
is harmless. Disk full and a locked database are the usual causes.

**By hand.** Trigger with `{"as_of": "..."}` to load the state of that instant.
"""

from airflow.sdk import Param, dag, task

from dags.assets import FEATURES, ONLINE_FEATURES, fact
from dags.fleet import TASK_DEFAULTS


@dag(
    schedule=[FEATURES],
    max_active_runs=1,
    params={
        "as_of": Param(None, type=["null", "string"], format="date-time", description="Exclusive cutoff")
    },
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["aisle", "features"],
)
def materialize() -> None:
    """Load the online store."""

    @task(outlets=[ONLINE_FEATURES])
    def load(params, triggering_asset_events, outlet_events):
        from pipelines.features import load

        loaded = load(fact("as_of", params, triggering_asset_events))
        outlet_events[ONLINE_FEATURES].extra = {"as_of": loaded["as_of"]}
        return loaded

    load()


materialize()
