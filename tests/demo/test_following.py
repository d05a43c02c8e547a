"""Following DAG runs, told by an Airflow that says what it is made to say."""

import pytest

from infra.local.airflow_api import DagRun, TaskInstance
from pipelines.demo import following
from pipelines.demo.following import DAGS, Follower
from pipelines.errors import DemoError
from pipelines.runtime.console import Console


class ToldAirflow:
    """Plays one scene for each look; the last one stays."""

    def __init__(self, *scenes):
        self._scenes = list(scenes)
        self.calls = []

    def wait_for_dags(self, dag_ids):
        self.calls.append(("wait", tuple(dag_ids)))

    def trigger(self, dag_id, conf):
        self.calls.append(("trigger", dag_id, conf))
        return "ours"

    def unpause(self, dag_id):
        self.calls.append(("unpause", dag_id))

    def dag_runs(self):
        if len(self._scenes) > 1:
            self._scene = self._scenes.pop(0)
        else:
            self._scene = self._scenes[0]
        return [DagRun(dag, run, state) for dag, run, state, _ in self._scene]

    def task_instances(self):
        return [
            TaskInstance(dag, run, task, state, 1, 0.5)
            for dag, run, _, tasks in self._scene
            for task, state in tasks.items()
        ]

    def result(self, task):
        return {"rows": 3, "of": f"{task.dag_id}.{task.run_id}.{task.task_id}"}

    def error_of(self, task):
        return f"IngestError: {task.task_id} found no column item_id; add it"


@pytest.fixture
def follow(monkeypatch):
    monkeypatch.setattr(following, "POLL_S", 0.01)
    seen = []

    def run(*scenes, limit_s=5.0):
        api = ToldAirflow(*scenes)
        follower = Follower(
            api, Console(quiet=True), lambda: None, lambda dag, task, result: seen.append((dag, task, result))
        )
        return follower.run({"source": "shop"}, limit_s), api, seen

    return run


def others(state, run="later"):
    return [(dag, run, state, {"work": "success"}) for dag in DAGS if dag != "ingest"]


def test_our_run_is_triggered_before_the_schedule_may_start_its_own(follow):
    _, api, _ = follow([("ingest", "ours", "success", {"take_in": "success"}), *others("success")])
    kinds = [call[0] for call in api.calls]
    assert kinds == ["wait", "trigger", "unpause", "unpause", "unpause", "unpause", "unpause"]
    assert api.calls[1] == ("trigger", "ingest", {"source": "shop"})


def test_it_ends_when_every_dag_has_ended_and_tells_each_result_once(follow):
    ingest_done = ("ingest", "ours", "success", {"take_in": "success"})
    followed, _, seen = follow(
        [ingest_done], [ingest_done, *others("running")], [ingest_done, *others("success")]
    )
    assert set(followed.runs) == set(DAGS)
    assert [(dag, task) for dag, task, _ in seen].count(("ingest", "take_in")) == 1
    assert len(seen) == len(DAGS)


def test_a_run_of_the_schedule_is_not_taken_for_ours(follow):
    scheduled = ("ingest", "scheduled", "running", {"take_in": "running"})
    followed, _, seen = follow(
        [("ingest", "ours", "success", {"take_in": "success"}), scheduled, *others("success")]
    )
    assert followed.runs["ingest"].run_id == "ours"
    assert ("ingest", "take_in", {"rows": 3, "of": "ingest.ours.take_in"}) in seen


def test_a_failed_task_ends_it_with_the_tasks_own_error(follow):
    with pytest.raises(
        DemoError, match="ingest · take_in failed: IngestError: take_in found no column item_id"
    ):
        follow([("ingest", "ours", "failed", {"take_in": "failed"})])


def test_a_shop_without_news_is_said_instead_of_waited_for(follow):
    with pytest.raises(DemoError, match="no new rows"):
        follow([("ingest", "ours", "success", {"take_in": "success", "announce": "skipped"})])


def test_the_limit_names_what_is_still_running(follow):
    with pytest.raises(DemoError, match="still running: ingest · take_in"):
        follow([("ingest", "ours", "running", {"take_in": "running"})], limit_s=0.05)
