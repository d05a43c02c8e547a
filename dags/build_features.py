"""# build_features: from the lake to the feature tables.

**Why.** Retrieval, ranking and other teams read features, never raw events. This builds every
feature table as known at `as_of`, and applies the Feast declarations.

**Owner.** Aisle data engineering.

**Healthy when** it ends within minutes of `ingest`, and each table keeps about the rows it had the
day before.

**When it fails.** The lake is unchanged and the last feature tables stay in use: training and
serving go on with them. The error names the table. Correct the cause and clear the task: a table is
written whole, so a second run changes nothing.

**By hand.** Trigger with `{"as_of": "2017-12-01T00:00:00+00:00"}` for the features of that instant.
"""

from airflow.sdk import Param, dag, task

from dags.assets import FEATURES, SHOP_DATA, fact
from dags.fleet import TASK_DEFAULTS


@dag(
    schedule=[SHOP_DATA],
    max_active_runs=1,
    params={
        "as_of": Param(None, type=["null", "string"], format="date-time", description="Exclusive cutoff")
    },
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["aisle", "features"],
)
def build_features() -> None:
    """Build the feature tables and declare them to Feast."""

    @task
    def build(params, triggering_asset_events):
        from pipelines.features.tasks import build

        return build(fact("as_of", params, triggering_asset_events))

    @task(outlets=[FEATURES])
    def declare(built, outlet_events):
        from pipelines.release import declare

        outlet_events[FEATURES].extra = {"as_of": built["as_of"], "versions": built["versions"]}
        return declare()

    declare(build())


build_features()
