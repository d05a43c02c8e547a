"""# retrain: a new release from the features of `as_of`.

**Why.** Taste and assortment move; lists that were right last month are not. This trains retrieval
and ranking, scores them beside their baselines on days they have not seen, and registers one signed
release.

**Owner.** Aisle machine learning.

**Healthy when** it ends within the hour and the release passes the gate. A refused release is no
failure: its reasons are in `register`, in MLflow and in its report, and the champion stays.

**When it fails.** The champion stays and shoppers notice nothing. Each step shows the real error
here and in its MLflow run. Correct the cause and clear the failed task: finished steps are kept,
and each step writes one folder named after `as_of`. Killed by its time limit or for memory: see
docs/operations.md.

**By hand.** Trigger with `{"as_of": "..."}` to train as of that instant.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from dags.assets import FEATURES, RELEASE, fact
from dags.fleet import TASK_DEFAULTS

TRAINING_LIMIT = timedelta(minutes=90)


@dag(
    schedule=[FEATURES],
    max_active_runs=1,
    params={
        "as_of": Param(None, type=["null", "string"], format="date-time", description="Exclusive cutoff")
    },
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["aisle", "training"],
)
def retrain() -> None:
    """Train, evaluate and register one release."""

    @task
    def begin(params, triggering_asset_events):
        from pipelines.release import begin

        return begin(fact("as_of", params, triggering_asset_events))

    @task
    def build_training_set(begun):
        from pipelines.release import build_training_set

        return build_training_set(begun["as_of"], begun["run_id"])

    @task(execution_timeout=TRAINING_LIMIT)
    def train_retrieval(begun):
        from pipelines.release import train_retrieval

        return train_retrieval(begun["as_of"], begun["run_id"])

    @task(execution_timeout=TRAINING_LIMIT)
    def train_ranking(begun):
        from pipelines.release import train_ranking

        return train_ranking(begun["as_of"], begun["run_id"])

    @task
    def evaluate(begun):
        from pipelines.release.tasks import evaluate

        return evaluate(begun["as_of"], begun["run_id"])

    @task(outlets=[RELEASE])
    def register(begun, outlet_events):
        from pipelines.release import register

        release = register(begun["as_of"], begun["run_id"])
        outlet_events[RELEASE].extra = {
            "as_of": begun["as_of"],
            "version": release["version"],
            "gate": release["gate"],
        }
        return release

    begun = begin()
    (
        build_training_set(begun)
        >> train_retrieval(begun)
        >> train_ranking(begun)
        >> evaluate(begun)
        >> register(begun)
    )


retrain()
