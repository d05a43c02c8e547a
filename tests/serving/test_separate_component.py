"""Serving stands alone: nothing of the training side is loaded, and its own extra is enough."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ROOT, ServingProcess, free_port, ids_of

FORBIDDEN = ("tensorflow", "tf_keras", "airflow", "pipelines", "dags", "infra", "duckdb", "ibis", "deltalake")

LOADED = """
import json, sys
import serving.__main__, serving.app
at_start = sorted(sys.modules)
from serving.releases.registry import Registry
from serving.errors import RegistryError
try:
    Registry("http://127.0.0.1:9", "m", 1).champion()
except RegistryError:
    pass
from serving.features.fast_import import typeguard_disabled
with typeguard_disabled():
    import feast
print(json.dumps({"at_start": at_start, "later": sorted(sys.modules)}))
"""


def test_a_fresh_interpreter_loads_nothing_of_the_training_side() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
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
    uv = [sys.executable, "-m", "uv"]
    environment = tmp_path / "venv"
    python = environment / "bin" / "python"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps"]
    lock = ROOT / "requirements" / "serving.txt"
    subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True, timeout=600)
    subprocess.run([*install, str(ROOT)], check=True, timeout=300)
    listed = subprocess.run(
        [*uv, "pip", "list", "--python", str(python), "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert {"aisle", "fastapi", "feast", "mlflow-skinny"} <= names
    assert not {"tensorflow", "apache-airflow", "mlflow", "duckdb", "deltalake"} & names
    registry = ModelRegistry(tmp_path / "home", uri=mlflow_server)
    registry.promote(registry.register())
    tracking = {"AISLE_SERVING_TRACKING_URI": mlflow_server}
    # From a folder of its own: what runs is what was installed, with the files of the storefront.
    with ServingProcess(registry.home, str(python), tmp_path, **tracking) as process:
        process.wait_for_version("1", 120)
        assert len(ids_of(process.list_for("u01"))) == 10
        page = process.client.get("/").text
        for name in re.findall(r'"(/storefront/[^"]+)"', page):
            assert process.client.get(name).status_code == 200
