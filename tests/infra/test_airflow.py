"""Airflow on one machine: secrets of its own, loopback, and errors that a person can read."""

import json
import stat
import textwrap
import time

import pytest

from infra.local.airflow import Airflow
from infra.local.airflow_api import AirflowApi
from infra.local.errors import AirflowApiError
from infra.local.ports import choose_port
from infra.local.stack import Stack


def test_passwords_and_keys_are_generated_kept_and_private(tmp_path):
    one, another = Airflow(tmp_path / "a", 1, tmp_path), Airflow(tmp_path / "b", 1, tmp_path)
    assert one.password == Airflow(tmp_path / "a", 2, tmp_path).password
    assert one.password != another.password
    assert len(one.password) >= 16
    assert stat.S_IMODE((tmp_path / "a" / "secrets.json").stat().st_mode) == 0o600


def test_it_listens_on_loopback_only_and_nobody_is_admin_without_a_password(tmp_path):
    environment = Airflow(tmp_path, 8080, tmp_path).environment()
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in environment
    scheduler = next(one for one in Airflow(tmp_path, 8080, tmp_path).services({}) if "scheduler" in one.name)
    assert "--skip-serve-logs" in scheduler.command


BROKEN_DAG = """
from airflow.sdk import Asset, dag, task

THING = Asset("thing", uri="test://thing")

@dag(schedule=None)
def first():
    @task(outlets=[THING])
    def make(params, outlet_events):
        outlet_events[THING].extra = {"as_of": "2017-12-01T00:00:00+00:00"}
        return {"rows": 3}
    make()

@dag(schedule=[THING])
def second():
    @task(retries=0)
    def fail(triggering_asset_events):
        told = [event.extra["as_of"] for events in triggering_asset_events.values() for event in events]
        raise ValueError(f"expected a column item_id as of {told[0]}; add it to the file")
    fail()

first()
second()
"""


@pytest.fixture
def dags(tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "two.py").write_text(textwrap.dedent(BROKEN_DAG))
    return folder


@pytest.mark.slow
def test_a_real_scheduler_joins_dags_by_assets_and_a_failed_task_shows_its_error(tmp_path, dags):
    airflow = Airflow(tmp_path / "airflow", choose_port(0), dags)
    with Stack(tmp_path) as stack:
        airflow.prepare({})
        stack.start(*airflow.services({}))
        stack.wait_until_healthy()
        api = AirflowApi(airflow)
        api.wait_for_dags(["first", "second"])
        with pytest.raises(AirflowApiError, match="404"):
            api.trigger("third", {})
        run_id = api.trigger("first", {})
        api.unpause("first")
        api.unpause("second")
        deadline = time.monotonic() + 120
        while not (failed := [task for task in api.task_instances() if task.state == "failed"]):
            stack.check()
            assert time.monotonic() < deadline, api.task_instances()
            time.sleep(0.5)
        [made] = [task for task in api.task_instances() if task.task_id == "make"]
        assert made.run_id == run_id
        assert api.result(made) == {"rows": 3}
        assert api.error_of(failed[0]) == (
            "ValueError: expected a column item_id as of 2017-12-01T00:00:00+00:00; add it to the file"
        )
        api.close()
    assert json.loads((tmp_path / "airflow" / "passwords.json").read_text()) == {"aisle": airflow.password}
