"""Rules that hold for every DAG of ours."""

from itertools import pairwise

import pytest

DESCRIBE = """
import sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag(sys.argv[1])
heavy = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
tell({
    "errors": bag.import_errors,
    "modules": heavy,
    "dags": {
        dag.dag_id: {
            "doc": dag.doc_md,
            "tags": sorted(dag.tags),
            "max_active_runs": dag.max_active_runs,
            "catchup": dag.catchup,
            "schedule": [asset.name for asset in getattr(dag.schedule, "objects", [])]
                if not isinstance(dag.schedule, list) else [asset.name for asset in dag.schedule],
            "tasks": {
                task.task_id: {
                    "owner": task.owner,
                    "retries": task.retries,
                    "limit_s": task.execution_timeout and task.execution_timeout.total_seconds(),
                    "outlets": [asset.name for asset in task.outlets],
                    "before": sorted(task.downstream_task_ids),
                    "type": type(task).__name__,
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
})
"""

EXPECTED = {"ingest", "build_features", "materialize", "retrain", "promote"}
TOKEN_LIFETIME_S = 2 * 3600


@pytest.fixture(scope="module")
def bag(in_airflow):
    described = in_airflow(DESCRIBE, "dags")
    assert described["dags"], "the DAG bag is empty, so no rule would be tested"
    return described


@pytest.fixture(scope="module")
def tasks(bag):
    return {
        f"{dag}.{task}": facts for dag, found in bag["dags"].items() for task, facts in found["tasks"].items()
    }


def test_every_file_can_be_imported_and_no_dag_is_missing(bag):
    assert bag["errors"] == {}
    assert set(bag["dags"]) == EXPECTED


def test_parsing_imports_nothing_heavy(bag):
    heavy = {
        "boto3",
        "deltalake",
        "duckdb",
        "feast",
        "ibis",
        "mlflow",
        "numpy",
        "pandas",
        "pipelines",
        "polars",
    }
    heavy |= {"pyarrow", "serving", "tensorflow", "tf_keras"}
    assert heavy.isdisjoint(bag["modules"])


def test_each_page_says_why_who_when_it_is_healthy_and_what_to_do(bag):
    for dag_id, dag in bag["dags"].items():
        assert dag["doc"].startswith(f"# {dag_id}: ")
        for part in ("**Why.**", "**Owner.**", "**Healthy when**", "**When it fails.**"):
            assert part in dag["doc"], f"{dag_id} does not say {part}"


def test_one_run_at_a_time_and_no_runs_for_days_gone_by(bag):
    assert {dag_id for dag_id, dag in bag["dags"].items() if dag["max_active_runs"] != 1} == set()
    assert {dag_id for dag_id, dag in bag["dags"].items() if dag["catchup"]} == set()


def test_every_task_has_an_owner_a_retry_and_a_limit_below_the_life_of_its_token(tasks):
    for name, task in tasks.items():
        assert task["owner"] == "aisle", name
        assert task["retries"] >= 1, name
        assert 0 < task["limit_s"] < TOKEN_LIFETIME_S, name


def test_tokens_live_as_long_as_the_local_runner_says(tmp_path):
    from infra.local.airflow import Airflow

    environment = Airflow(tmp_path, 8080, tmp_path).environment()
    assert environment["AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME"] == str(TOKEN_LIFETIME_S)


def test_assets_join_the_dags(bag, tasks):
    waits_for = {dag_id: dag["schedule"] for dag_id, dag in bag["dags"].items() if dag["schedule"]}
    assert waits_for == {
        "build_features": ["shop_data"],
        "materialize": ["features"],
        "retrain": ["features"],
        "promote": ["release"],
    }
    makes = {name: task["outlets"] for name, task in tasks.items() if task["outlets"]}
    assert makes == {
        "ingest.announce": ["shop_data"],
        "build_features.declare": ["features"],
        "materialize.load": ["online_features"],
        "retrain.register": ["release"],
    }


def test_no_task_waits_for_the_world(tasks):
    assert {name for name, task in tasks.items() if "Sensor" in task["type"]} == set()


def test_the_steps_of_retraining_follow_one_another(tasks):
    order = ["build_training_set", "train_retrieval", "train_ranking", "evaluate", "register"]
    for step, following in pairwise(order):
        assert following in tasks[f"retrain.{step}"]["before"]
