"""A real MLflow server on loopback: releases pass through its artifact proxy, a person moves the alias."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import TrackingError
from pipelines.release.gate import Decision
from pipelines.release.promotion import promote, rollback, status
from pipelines.release.registration import Measured, Origin, register_release
from pipelines.release.registry import Registry
from pipelines.settings import Settings
from pipelines.tracking import connect, run
from serving.bundle import load_public_key, verify, write_array
from tests.serving.tiny_bundle import write_tiny_bundle

START_LIMIT_S = 180


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with SQLite behind it and its artifacts behind its proxy."""
    home = tmp_path_factory.mktemp("mlflow_server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
                *("--artifacts-destination", str(home / "artifacts"), "--serve-artifacts"),
                *("--allowed-hosts", f"127.0.0.1:{port}", "--workers", "1"),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while not answers(uri):
            said = (home / "log").read_text()[-2000:]
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def ask(uri: str, path: str, content: dict) -> dict:
    """What the REST API answers, asked as the MLflow UI asks it."""
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/{path}",
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def add_release(settings: Settings, bundle: Path, as_of: str) -> int:
    with run(settings, "register", system_metrics=False) as step:
        origin = Origin(as_of, {"events": 1}, ("retrieval_v1",), step.run_id, as_of)
    measured = Measured({"ndcg@10": 0.3}, {}, Decision(passed=True, reasons=("beats it",), checks=()))
    return register_release(settings, bundle, origin, measured)["version"]


def test_a_person_approves_in_the_ui_and_a_rollback_returns_to_the_version_before(server, tmp_path):
    settings = Settings(home=tmp_path, tracking_uri=server)
    bundle = write_tiny_bundle(tmp_path / "bundle")
    assert add_release(settings, bundle, "2024-05-01T00:00:00+00:00") == 1
    write_array(bundle, "popularity", np.ones(8))
    assert add_release(settings, bundle, "2024-05-08T00:00:00+00:00") == 2
    assert add_release(settings, bundle, "2024-05-08T00:00:00+00:00") == 2
    promote(settings, 1, reason="first", by="kim")
    # what the UI sends when a person moves the alias
    ask(
        server,
        "registered-models/alias",
        {"name": settings.model_name, "alias": "champion", "version": "2"},
    )
    told = status(settings)
    assert (told["champion"]["version"], told["champion"]["how"]) == (2, "by hand")
    assert told["candidate"]["version"] == 2
    assert rollback(settings, by="lee")["version"] == 1
    assert Registry(settings).alias("champion") == 1
    # the artifacts went through the server's proxy and come back whole
    registry = Registry(settings)
    fetched = registry.download_bundle(registry.version(2), tmp_path / "fetched")
    assert (
        verify(fetched, [load_public_key(settings.keys / "release.pub")])
        .facts["as_of"]
        .startswith("2024-05-08")
    )
    assert not (tmp_path / "mlflow").exists()


def test_a_run_and_its_report_can_be_read_through_the_server(server, tmp_path):
    settings = Settings(home=tmp_path, tracking_uri=server)
    with run(settings, "evaluate") as step:
        step.log_text("<h1>Report</h1>", "report.html")
        step.log_curves({"loss": [2.0, 1.0]})
    address = f"{server}/get-artifact?path=report.html&run_id={step.run_id}"
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.read() == b"<h1>Report</h1>"
    kept = connect(settings).get_run(step.run_id)
    assert kept.info.status == "FINISHED"
    assert kept.data.metrics["system/system_memory_usage_megabytes"] > 0


def test_the_trap_22095_another_name_for_the_server_is_refused_and_the_error_says_what_to_list(
    server, tmp_path
):
    elsewhere = server.replace("127.0.0.1", "localhost")
    with pytest.raises(TrackingError, match=r"403.*allowed-hosts"):
        connect(Settings(home=tmp_path, tracking_uri=elsewhere))
