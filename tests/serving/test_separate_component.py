"""Serving stands alone: nothing of the training side is loaded, and its own extra is enough."""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ROOT, ServingProcess, free_port, ids_of

FORBIDDEN = ("tensorflow", "tf_keras", "airflow", "pipelines", "dags", "infra", "duckdb", "ibis", "deltalake")

LOADED = """
import json, sys
import serving.__main__
at_start = sorted(sys.modules)
from serving.registry import Registry
from serving.errors import RegistryError
try:
    Registry("http://127.0.0.1:9", "m", 1).champion()
except RegistryError:
    pass
from serving.features import _without_runtime_type_checks
with _without_runtime_type_checks():
    import feast
print(json.dumps({"at_start": at_start, "later": sorted(sys.modules)}))
"""


def test_a_fresh_interpreter_loads_nothing_of_the_training_side() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = json.loads(ended.stdout.splitlines()[-1])
    assert "fastapi" in loaded["at_start"]
    assert "mlflow" in loaded["later"]
    assert "feast" in loaded["later"]
    for name in FORBIDDEN:
        assert name not in loaded["later"]
    # What takes seconds to import is not waited for at start.
    for name in ("mlflow", "feast", "pandas"):
        assert name not in loaded["at_start"]


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server that hands artifacts through itself, on loopback."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(port), "--allowed-hosts", f"127.0.0.1:{port}"),
        *("--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"),
        *("--artifacts-destination", str(tmp_path / "artifacts"), "--serve-artifacts"),
    ]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | quiet, stdout=log, stderr=log, cwd=tmp_path)
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", server, limit_s=180)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def wait_until_healthy(url: str, server: subprocess.Popen, limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        assert server.poll() is None, "the MLflow server ended"
        try:
            if httpx.get(f"{url}/health", timeout=2).text == "OK":
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within {limit_s} s")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_serving_extra_alone_starts_and_answers(mlflow_server: str, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = ROOT / "requirements" / "serving.txt"
    # The lock is complete; without --no-deps pip would ask for a package that it leaves out on purpose.
    subprocess.run([*install, "--require-hashes", "--no-deps", "-r", str(lock)], check=True, timeout=600)
    # The project itself, without what its other roles need.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "aisle.pth").write_text(str(ROOT))
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert {"fastapi", "feast", "mlflow-skinny"} <= names
    assert not {"tensorflow", "apache-airflow", "mlflow", "duckdb", "deltalake"} & names
    registry = ModelRegistry(tmp_path / "home", uri=mlflow_server)
    registry.promote(registry.register())
    with ServingProcess(registry.home, python, AISLE_SERVING_TRACKING_URI=mlflow_server) as process:
        process.wait_for_version("1", 120)
        assert len(ids_of(process.list_for("u01"))) == 10
        assert process.client.get("/").status_code == 200
