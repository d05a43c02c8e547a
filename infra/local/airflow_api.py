"""A small client of Airflow's REST API: trigger, unpause, follow."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.airflow import USER, Airflow
from infra.local.errors import AirflowApiError


@dataclass(frozen=True)
class TaskInstance:
    """One task of one DAG run, as the API shows it."""

    dag_id: str
    run_id: str
    task_id: str
    state: str | None
    try_number: int
    duration_s: float | None


@dataclass(frozen=True)
class DagRun:
    """One run of one DAG."""

    dag_id: str
    run_id: str
    state: str


class AirflowApi:
    """Speaks to the API as the generated user; logs in again when its token has expired."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        # Loopback: proxies and credentials of the environment have no business here.
        self._http = httpx.Client(base_url=airflow.url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def wait_for_dags(self, dag_ids: list[str], limit_s: float = 90.0) -> None:
        """Wait until the DAG processor has read all of these.

        Raises:
            AirflowApiError: When a DAG file cannot be imported (with its error), or some are missing in time.
        """
        deadline = time.monotonic() + limit_s
        while True:
            known = {dag["dag_id"] for dag in self._get("/dags", limit=100)["dags"]}
            missing = sorted(set(dag_ids) - known)
            if not missing:
                return
            broken = self._get("/importErrors")["import_errors"]
            if broken:
                raise AirflowApiError(
                    f"{broken[0]['filename']} cannot be imported:\n{broken[0]['stack_trace']}"
                )
            if time.monotonic() > deadline:
                raise AirflowApiError(f"Airflow has not found the DAGs {missing} within {limit_s:.0f} s")
            time.sleep(0.5)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler start runs of this DAG."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Ask for a run of this DAG, and return its run id."""
        run_id: str = self._call(
            "POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf}
        )["dag_run_id"]
        return run_id

    def dag_runs(self) -> list[DagRun]:
        """The first hundred runs of all DAGs, oldest first."""
        runs = self._get("/dags/~/dagRuns", order_by="id", limit=100)["dag_runs"]
        return [DagRun(run["dag_id"], run["dag_run_id"], run["state"]) for run in runs]

    def task_instances(self) -> list[TaskInstance]:
        """The tasks of those runs, in the order in which they began."""
        found = self._get("/dags/~/dagRuns/~/taskInstances", order_by="start_date", limit=500)
        return [
            TaskInstance(
                one["dag_id"],
                one["dag_run_id"],
                one["task_id"],
                one["state"],
                one["try_number"],
                one["duration"],
            )
            for one in found["task_instances"]
        ]

    def result(self, task: TaskInstance) -> Any:
        """What the task returned; None where it returned nothing, of which Airflow keeps no entry."""
        path = f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/xcomEntries"
        if not self._get(path, xcom_key_pattern="return_value")["xcom_entries"]:
            return None
        return self._get(f"{path}/return_value", deserialize=True)["value"]

    def error_of(self, task: TaskInstance) -> str:
        """The last error in the log of the task's last try."""
        content = self._get(
            f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/logs/{task.try_number}",
            full_content=True,
        )["content"]
        errors = [
            f"{detail['exc_type']}: {detail['exc_value']}"
            for line in content
            if isinstance(line, dict)
            for detail in line.get("error_detail") or []
        ]
        if errors:
            return errors[-1]
        told = [line["event"] for line in content if isinstance(line, dict) and line.get("level") == "error"]
        return "\n".join(told[-3:]) or "its log holds no error; the process may have been killed"

    def _get(self, path: str, **parameters: Any) -> Any:
        return self._call("GET", path, params=parameters)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._http.request(method, f"/api/v2{path}", **arguments)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._log_in()
                answer = self._http.request(method, f"/api/v2{path}", **arguments)
        except httpx.HTTPError as error:
            raise AirflowApiError(f"Airflow at {self._airflow.url} does not answer: {error}") from error
        if answer.is_error:
            raise AirflowApiError(f"{method} {path} was refused ({answer.status_code}): {answer.text[:500]}")
        return answer.json()

    def _log_in(self) -> None:
        answer = self._http.post("/auth/token", json={"username": USER, "password": self._airflow.password})
        if answer.is_error:
            raise AirflowApiError(f"Airflow refused user {USER}: {answer.text[:500]}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
