"""The whole loop on the tiny shop: every DAG by `dag.test()`, then the serving process, over HTTP."""

import time
from datetime import datetime

import httpx
import pytest

from infra.local import components
from infra.local.ports import choose_port
from infra.local.stack import Stack
from pipelines.release.promotion import promote
from pipelines.settings import Settings
from tests import tiny_shop as shop

RUN_LOOP = """
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session

arguments = get_parser().parse_args(["dags", "reserialize"])
arguments.func(arguments)
dags = DagBag("dags").dags

def run(dag_id, **conf):
    done = dags[dag_id].test(run_conf=conf)
    if done.state != "success":
        sys.exit(f"DAG {dag_id} ended {done.state}")
    with create_session() as session:
        xcoms = session.query(XComModel).filter(XComModel.run_id == done.run_id).all()
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == done.run_id).all()
        return {
            "state": str(done.state),
            "tasks": {task.task_id: str(task.state) for task in done.get_task_instances(session=session)},
            "results": {
                row.task_id: XComModel.deserialize_value(row) for row in xcoms if row.key == "return_value"
            },
            "assets": {event.asset.name: event.extra for event in events},
        }

shop = sys.argv[1]
done = {"ingest": run("ingest", source=shop), "ingest again": run("ingest", source=shop)}
done["build_features"] = run("build_features", as_of=done["ingest"]["assets"]["shop_data"]["as_of"])
features = done["build_features"]["assets"]["features"]
done["materialize"] = run("materialize", as_of=features["as_of"])
done["retrain"] = run("retrain", as_of=features["as_of"])
done["promote"] = run("promote", version=done["retrain"]["assets"]["release"]["version"])
tell(done)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def loop(in_airflow, home, tiny_shop):
    """What each DAG run did, in the order of the loop."""
    return in_airflow(
        RUN_LOOP,
        tiny_shop,
        migrated=True,
        limit_s=800,
        AISLE_HOME=str(home),
        AISLE_PROMOTION_POLICY="first",
        AISLE_TRAINING_BUDGET="short",
    )


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_ingest_accounts_for_every_row_and_says_what_is_in_the_lake(loop):
    taken = loop["ingest"]["results"]["take_in"]
    assert taken["rows_in"] == taken["accepted"] + taken["duplicates"] + taken["quarantined"]
    assert taken["tables"]["items"]["accepted"] == shop.ITEMS
    assert loop["ingest"]["assets"]["shop_data"] == {"as_of": taken["as_of"], "versions": taken["versions"]}


def test_the_same_shop_again_starts_nothing_further(loop):
    again = loop["ingest again"]
    assert again["results"]["take_in"]["accepted"] == 0
    assert again["tasks"]["announce"] == "skipped"
    assert again["assets"] == {}


def test_the_cutoff_travels_through_every_asset(loop):
    as_of = loop["ingest"]["assets"]["shop_data"]["as_of"]
    carried = {
        name: extra["as_of"]
        for run in ("build_features", "materialize", "retrain")
        for name, extra in loop[run]["assets"].items()
    }
    assert {name: datetime.fromisoformat(text) for name, text in carried.items()} == dict.fromkeys(
        ("features", "online_features", "release"), datetime.fromisoformat(as_of)
    )


def test_retraining_registers_one_version_with_its_verdict(loop):
    retrained = loop["retrain"]
    assert str(retrained["assets"]["release"]["version"]) == "1"
    assert retrained["assets"]["release"]["gate"] == retrained["results"]["register"]["gate"]
    assert 0 <= retrained["results"]["train_ranking"]["auc"] <= 1
    assert set(retrained["results"]["evaluate"]["baselines"]) == {
        "popularity",
        "personal_frequency",
        "item_knn",
        "sequence_rules",
    }


def test_the_policy_follows_the_gate(loop):
    decided = loop["promote"]["results"]["follow_policy"]
    assert decided["promoted"] == (loop["retrain"]["assets"]["release"]["gate"] == "passed")
    assert decided["reason"]


@pytest.fixture
def approved(loop, home):
    """The tiny shop's release as champion: by the policy, or by a person who overrules the gate."""
    if not loop["promote"]["results"]["follow_policy"]["promoted"]:
        promote(Settings(home=home), 1, reason="a tiny shop proves no model", by="a test", override=True)


def test_the_approved_release_answers_shoppers(approved, home, tmp_path):
    port = choose_port(0)
    serving = components.serving(
        port,
        {"AISLE_SERVING_HOME": str(home), "AISLE_SERVING_CLOCK_START_AT": shop.ENDS_AT.isoformat()},
    )
    with Stack(tmp_path) as stack, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        stack.start(serving)
        stack.wait_until_healthy()
        wait_until_ready(http, stack)
        assert http.get("/v1/release").json()["release"]["version"] == "1"
        answer = http.post("/v1/recommendations", json={"user_id": "u1", "surface": "home", "k": 5})
        items = answer.raise_for_status().json()["items"]
        assert [item["rank"] for item in items] == [1, 2, 3, 4, 5]
        assert all(item["title"] and item["reason"] for item in items)


def wait_until_ready(http, stack):
    deadline = time.monotonic() + 60
    while http.get("/readyz").status_code != httpx.codes.OK:
        stack.check()
        assert time.monotonic() < deadline, http.get("/v1/release").text
        time.sleep(0.2)
