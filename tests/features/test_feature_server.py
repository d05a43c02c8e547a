"""Feast's own feature server, SDK and our command line answer the same values."""

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
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.features import store
from pipelines.features.declared import declared_views
from pipelines.settings import Settings

LIMIT_S = 120
"""How long the server may take to start on a busy machine."""


@pytest.fixture(scope="module")
def server(built_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a feature server over the built home, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("server") / "log.txt"
    feast = Path(sys.executable).with_name("feast")
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                feast,
                "-c",
                built_home.feature_repo,
                "serve",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "--no-access-log",
            ],
            env=os.environ | store.feast_environment(built_home),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=5):
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"the feature server did not start:\n{log.read_text()[-3000:]}")
                time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def asked(server: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{server}/get-online-features",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = json.load(answer)
    names = found["metadata"]["feature_names"]
    return {name: result["values"][0] for name, result in zip(names, found["results"], strict=True)}


def looked_up(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["features", "get", *arguments, "--json"])
    assert not ended.value.code
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1])["features"])


def test_server_sdk_and_command_line_answer_the_same_values(
    server: str, built_home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AISLE_HOME", str(built_home.home))
    for key, value in (("user_id", "u05"), ("item_id", "i02")):
        views = [
            view for view in declared_views().values() if view.online and view.entity_columns[0].name == key
        ]
        refs = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
        body = {"features": refs, "entities": {key: [value]}, "full_feature_names": True}
        by_server = asked(server, body)
        by_sdk = (
            store.open_store(built_home)
            .get_online_features(refs, [{key: value}], full_feature_names=True)
            .to_dict()
        )
        features = looked_up(capsys, f"--{key.removesuffix('_id')}", value)
        by_command = {
            f"{view}__{name}": one for view, found in features.items() for name, one in found.items()
        }
        assert len(by_command) > 30
        assert by_command == {name: one[0] for name, one in by_sdk.items() if name != key}
        assert by_server == {name: one[0] for name, one in by_sdk.items()}


def test_a_feature_service_is_served_by_name(server: str, built_home: Settings):
    found = asked(server, {"feature_service": "retrieval_v1", "entities": {"user_id": ["u05"]}})
    expected = store.get_online(built_home, user_id="u05")["features"]
    assert found["item_ids"] == expected["user_history"]["item_ids"]
    assert found["spend_30d"] == expected["user_activity"]["spend_30d"]
