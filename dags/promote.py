"""# promote: what happens to a registered release.

**Why.** A release serves shoppers only once alias `champion` is on it. Policy `manual` leaves that
to a person, who moves the alias in the MLflow UI or runs `aisle release promote N --reason "…"`.
Policy `auto` moves it as soon as the gate has passed. The policy is setting
`AISLE_PROMOTION_POLICY`.

**Owner.** Aisle machine learning.

**Healthy when** `follow_policy` says what it did and why. Serving follows a moved alias within 10
seconds.

**When it fails.** No alias has moved. The registry was not reachable, or the version is gone: see
that MLflow runs, and clear the task. A release that turns out bad: `aisle release rollback --reason
"…"`.

**By hand.** Trigger with `{"version": 7}` to apply the policy to that version.
"""

from airflow.sdk import Param, dag, task

from dags.assets import RELEASE, fact
from dags.fleet import TASK_DEFAULTS


@dag(
    schedule=[RELEASE],
    max_active_runs=1,
    params={"version": Param(None, type=["null", "string", "integer"], description="Version of the model")},
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["aisle", "release"],
)
def promote() -> None:
    """Apply the promotion policy to a release."""

    @task
    def follow_policy(params, triggering_asset_events):
        from pipelines.release import auto_promote

        return auto_promote(fact("version", params, triggering_asset_events))

    follow_policy()


promote()
