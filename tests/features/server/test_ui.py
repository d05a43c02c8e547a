"""Feast's UI shows what is declared, reads no value, changes nothing, and answers no other name."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.features.registry import open_store
from pipelines.features.server.permissions import check_permissions
from pipelines.settings import Settings


@pytest.fixture(scope="module")
def home(built_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("shown"), lake_uri=built_home.lake_root)
    shutil.copytree(built_home.home / "feast", settings.home / "feast")
    return settings


@pytest.fixture(scope="module")
def ui(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log: Path = tmp_path_factory.mktemp("log") / "ui.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli.main", "features", "ui", "--port", str(port)],
            env=os.environ | home.as_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            deadline = time.monotonic() + 200
            while True:
                try:
                    client.get("/")
                    break
                except httpx.TransportError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(f"the UI did not start: {log.read_text()[-2000:]}")
                    time.sleep(0.3)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def test_it_shows_the_page_and_what_is_declared(ui: httpx.Client):
    assert "<html" in ui.get("/").text
    views = ui.get("/api/v1/feature_views", params={"project": "aisle"})
    assert views.status_code == 200
    assert "user_profile" in json.dumps(views.json())


def test_another_name_for_this_machine_is_refused(ui: httpx.Client):
    assert ui.get("/", headers={"host": "shop.example"}).status_code == 400
    assert ui.get("/api/v1/permissions", headers={"host": "shop.example"}).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/v1/permissions", "/api/v1/push", "/api/v1/get-online-features", "/"])
def test_nothing_can_be_written_pushed_or_looked_up(ui: httpx.Client, home: Settings, method: str, path: str):
    before = (home.home / "feast" / "registry.db").read_bytes()
    body = {
        "features": ["user_profile:gender"],
        "entities": {"user_id": ["u05"]},
        "name": "x",
        "roles": ["y"],
    }
    answer = ui.request(method, path, json=body)
    assert answer.status_code == 405
    assert "expected GET or HEAD" in answer.json()["detail"]
    assert (home.home / "feast" / "registry.db").read_bytes() == before
    store = open_store(home)
    check_permissions(store.registry.list_permissions(store.project))
