"""Triggering the first DAG and following the runs that its assets set off."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.local.airflow_api import AirflowApi, DagRun, TaskInstance
from pipelines.demo.wording import in_words
from pipelines.errors import DemoError
from pipelines.runtime import Console

DAGS = ("ingest", "build_features", "materialize", "retrain", "promote")
POLL_S = 2.5
FINAL = frozenset({"success", "failed"})


@dataclass
class Followed:
    """What the followed runs have done so far."""

    runs: dict[str, DagRun] = field(default_factory=dict)
    """The run of each DAG."""
    results: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What each finished task returned, by DAG and task."""
    tasks: dict[tuple[str, str], TaskInstance] = field(default_factory=dict)
    """Each task as last seen."""

    @property
    def complete(self) -> bool:
        """Whether every DAG has a run, and all have ended."""
        return len(self.runs) == len(DAGS) and all(run.state in FINAL for run in self.runs.values())


class Follower:
    """Follows one chain of DAG runs and tells a person what happens.

    Args:
        api: Airflow's API.
        console: Where a person sees it.
        check: Called at every look; raises when a service has died.
        on_result: Called with DAG, task and its result as soon as a task has ended well.
    """

    def __init__(
        self,
        api: AirflowApi,
        console: Console,
        check: Callable[[], None],
        on_result: Callable[[str, str, Any], None],
    ) -> None:
        self._api = api
        self._console = console
        self._check = check
        self._on_result = on_result
        self._warned: set[tuple[str, str, int]] = set()

    def run(self, conf: dict[str, Any], limit_s: float) -> Followed:
        """Trigger `ingest`, let every DAG run, and follow them until the last has ended.

        Raises:
            DemoError: When a task fails (with its error), or the limit passes.
        """
        self._api.wait_for_dags(list(DAGS))
        followed = Followed()
        # Triggered while paused, the run with our source goes before the schedule's own.
        first_run = self._api.trigger("ingest", conf)
        for dag_id in DAGS:
            self._api.unpause(dag_id)
        deadline = time.monotonic() + limit_s
        with self._console.status("Waiting for the scheduler") as status:
            while not followed.complete:
                self._check()
                self._look(followed, first_run)
                self._refuse_a_failed_run(followed)
                status(_running(followed))
                if time.monotonic() > deadline:
                    raise DemoError(
                        f"the DAG runs did not end within {limit_s / 60:.0f} minutes; still running: "
                        f"{_running(followed)}. Raise AISLE_DEMO_LIMIT_MINUTES on a slow machine."
                    )
                time.sleep(POLL_S)
        return followed

    def _look(self, followed: Followed, first_run: str) -> None:
        for run in self._api.dag_runs():
            if run.dag_id == "ingest" and run.run_id != first_run:
                continue
            if followed.runs.setdefault(run.dag_id, run).run_id == run.run_id:
                followed.runs[run.dag_id] = run
        ours = {run.run_id for run in followed.runs.values()}
        for task in self._api.task_instances():
            if task.run_id in ours:
                self._see(followed, task)

    def _see(self, followed: Followed, task: TaskInstance) -> None:
        key = (task.dag_id, task.task_id)
        followed.tasks[key] = task
        if task.state == "success" and key not in followed.results:
            result = self._api.result(task)
            followed.results[key] = result
            self._console.done(f"{task.dag_id} · {task.task_id}", in_words(result), task.duration_s or 0.0)
            self._on_result(task.dag_id, task.task_id, result)
        if task.state == "up_for_retry" and (*key, task.try_number) not in self._warned:
            self._warned.add((*key, task.try_number))
            self._console.error(
                f"{task.dag_id} · {task.task_id} is tried again after: {self._api.error_of(task)}"
            )

    def _refuse_a_failed_run(self, followed: Followed) -> None:
        for task in followed.tasks.values():
            if task.state == "failed":
                raise DemoError(f"{task.dag_id} · {task.task_id} failed: {self._api.error_of(task)}")
            if task.state == "skipped" and task.dag_id == "ingest":
                raise DemoError("the shop has no new rows, so there is nothing to train on")
        for run in followed.runs.values():
            if run.state == "failed":
                raise DemoError(f"DAG run {run.dag_id} failed; see it in Airflow")


def _running(followed: Followed) -> str:
    names = [f"{task.dag_id} · {task.task_id}" for task in followed.tasks.values() if task.state == "running"]
    return ", ".join(names) or "the scheduler"
