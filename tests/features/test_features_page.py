"""The examples of docs/features.md, run as they stand on the page, with ids of the tiny shop."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.features import store
from pipelines.settings import Settings
from tests.features.databases import missing
from tests.features.serving_features import Asking, feature_server

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
OURS = {
    '"user_id": ["1", "2"]': '"user_id": ["u05", "u06"]',
    '"user_id": ["1"], "item_id": ["2"]': '"user_id": ["u05"], "item_id": ["i02"]',
    '"item_id": ["1", "2"]': '"item_id": ["i02", "i03"]',
    '{"user_id": "1"}, {"user_id": "2"}': '{"user_id": "u05"}, {"user_id": "u06"}',
    '"item_id": ["2", "3"]': '"item_id": ["i02", "i03"]',
    "('1', TIMESTAMPTZ '2017-06-01 12:00Z'), ('2', TIMESTAMPTZ '2017-07-01 12:00Z')": (
        "('u05', TIMESTAMPTZ '2024-04-01 12:00Z'), ('u06', TIMESTAMPTZ '2024-04-02 12:00Z')"
    ),
    '"2017-06-01T12:00Z", "2017-07-01T12:00Z"': '"2024-04-01T12:00Z", "2024-04-02T12:00Z"',
}


def examples(language: str, word: str) -> list[str]:
    """The blocks of one language that hold a word, with our ids for theirs."""
    found = [text for kind, text in BLOCKS if kind == language and word in text]
    for theirs, ours in OURS.items():
        found = [text.replace(theirs, ours) for text in found]
    return found


@pytest.fixture(scope="module")
def ask(built_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """A server whose home is `var` below the folder that it is named for, as on the page."""
    folder = tmp_path_factory.mktemp("page")
    home = Settings(home=folder / "var")
    shutil.copytree(built_home.home, home.home)
    with feature_server(home, folder / "log.txt") as asking:
        yield asking


@pytest.fixture
def here(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ask.home.home.parent)
    monkeypatch.delenv("AISLE_HOME", raising=False)
    monkeypatch.setenv("FEATURES_KEY", (ask.home.home / "feast" / "local.key").read_text())


def run(ask: Asking, text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text.replace("http://127.0.0.1:6566", ask.address), str(PAGE), "exec"), names)
    return names


def test_curl_asks_for_features_and_for_a_service(ask: Asking, here: None):
    if shutil.which("curl") is None:
        missing("no curl on this machine")
    found = []
    for text in examples("sh", "curl "):
        script = text.replace("http://127.0.0.1:6566", ask.address)
        answer = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=60)
        found.append(json.loads(answer.stdout))
    by_features, by_service = found
    expected = store.get_online(ask.home, user_id="u06")["features"]
    assert by_features["metadata"]["feature_names"] == ["user_id", "spend_30d", "top_categories"]
    assert by_features["results"][1]["values"][1] == expected["user_activity"]["spend_30d"]
    assert by_features["results"][2]["values"][1] == expected["user_affinity"]["top_categories"]
    assert "item_profile__title" in by_service["metadata"]["feature_names"]


def test_python_asks_over_http(ask: Asking, here: None):
    (text,) = examples("python", "urllib.request")
    rows = run(ask, text)["rows"]
    expected = store.get_online(ask.home, item_id="i03")["features"]
    assert rows["item_id"] == ["i02", "i03"]
    assert rows["title"][1] == expected["item_profile"]["title"]
    assert rows["purchases_7d"][1] == expected["item_activity"]["purchases_7d"]


def test_the_sdk_answers_now_and_then(ask: Asking, here: None):
    (text,) = examples("python", "get_historical_features")
    names = run(ask, text)
    expected = store.get_online(ask.home, user_id="u05")["features"]["user_activity"]["spend_30d"]
    assert names["now"]["spend_30d"].tolist()[0] == expected
    assert names["then"]["clicked"].tolist() == [1, 0]
    assert names["then"]["item_id"].tolist() == ["i02", "i03"]
    assert names["then"]["user_activity__spend_30d"].notna().all()


def test_sql_finds_the_newest_and_those_of_then(ask: Asking, here: None, capfd: pytest.CaptureFixture[str]):
    (text,) = examples("python", "ASOF LEFT JOIN")
    run(ask, text)
    newest, then = re.split(r"\n(?=┌)", capfd.readouterr().out.strip())
    found = [re.findall(r"[^│\s][^│]*[^│\s]", line) for line in newest.splitlines() if line.startswith("│ u")]
    rows = [row for row in found if re.fullmatch(r"u\d\d", row[0])]
    assert len(rows) == 5
    for user_id, spend, _ in rows:
        online = store.get_online(ask.home, user_id=user_id)["features"]["user_activity"]
        assert float(spend) == online["spend_30d"]
    (sdk,) = examples("python", "get_historical_features")
    for user_id, spend in zip(
        ("u05", "u06"), run(ask, sdk)["then"]["user_activity__spend_30d"].tolist(), strict=True
    ):
        (line,) = [line for line in then.splitlines() if line.startswith(f"│ {user_id} ")]
        assert str(spend) in line


def test_the_page_names_only_verbs_that_there_are(capsys: pytest.CaptureFixture[str]):
    from pipelines.cli.features import features

    named = set(re.findall(r"aisle features (\w+)", PAGE.read_text("utf-8")))
    assert named >= {"list", "show", "freshness", "serve", "key", "get"}
    assert named <= set(features.commands)
