"""The feature server: the same values as SDK and command line for who may, and a refusal for all others."""

import json
import shutil
import time
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from feast.feast_object import ALL_RESOURCE_TYPES
from feast.permissions.action import ALL_ACTIONS, AuthzedAction
from feast.permissions.enforcer import enforce_policy
from feast.permissions.permission import Permission
from feast.permissions.policy import RoleBasedPolicy
from feast.permissions.user import User
from prometheus_client.parser import text_string_to_metric_families

from feature_repo.permissions import READER, WRITER
from pipelines.cli.main import main
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.registry import open_store
from pipelines.features.registry.declarations import declared_views
from pipelines.features.server.app import build_app, team_keys
from pipelines.settings import Settings
from tests.features.serving_features import Asking, feature_server

ASK = "/get-online-features"
SHARED = {
    "feature_service": "shared_v1",
    "entities": {"user_id": ["u05"], "item_id": ["i02"]},
    "full_feature_names": True,
}
NOW = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(built_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own on the built feature tables, materialized: it may be written to."""
    settings = Settings(home=tmp_path_factory.mktemp("served"), lake_uri=built_home.lake_root)
    shutil.copytree(built_home.home / "feast", settings.home / "feast")
    return settings


@pytest.fixture(scope="module")
def reader(home: Settings) -> str:
    return team_keys(home).add("growth", READER, NOW)


@pytest.fixture(scope="module")
def writer(home: Settings) -> str:
    return team_keys(home).add("pipelines", WRITER, NOW)


@pytest.fixture(scope="module")
def ask(home: Settings, reader: str, writer: str, tmp_path_factory) -> Iterator[Asking]:
    with feature_server(home, tmp_path_factory.mktemp("log") / "server.txt") as asking:
        yield asking


def looked_up(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["features", "get", *arguments, "--json"])
    assert not ended.value.code
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1])["features"])


def test_server_sdk_and_command_line_answer_the_same_values(
    ask: Asking, writer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in ask.home.as_environment().items():
        monkeypatch.setenv(name, value)
    for key, value in (("user_id", "u05"), ("item_id", "i02")):
        views = [
            view for view in declared_views().values() if view.online and view.entity_columns[0].name == key
        ]
        refs = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
        body = {"features": refs, "entities": {key: [value]}, "full_feature_names": True}
        by_server = ask(ASK, body, writer).values
        by_sdk = (
            store.open_store(ask.home)
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


def test_a_team_reads_what_is_shared(ask: Asking, reader: str):
    found = ask(ASK, SHARED, reader)
    assert found.status == 200
    expected = store.get_online(ask.home, user_id="u05")["features"]
    assert found.values["user_activity__spend_30d"] == expected["user_activity"]["spend_30d"]
    assert found.values["user_affinity__top_categories"] == expected["user_affinity"]["top_categories"]
    one = {"features": ["user_activity:spend_30d"], "entities": {"user_id": ["u05", "stranger"]}}
    both = json.loads(ask(ASK, one, reader).body)
    assert both["results"][1]["values"] == [expected["user_activity"]["spend_30d"], None]
    assert both["results"][1]["statuses"] == ["PRESENT", "NOT_FOUND"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer growth.0000"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer a b c"},
        {"Authorization": "Basic Z3Jvd3RoOng="},
        {"Authorization": "growth"},
    ],
    ids=["none", "wrong", "empty", "several words", "another scheme", "no scheme"],
)
def test_nobody_without_a_key_gets_anything_but_health(ask: Asking, headers: dict[str, str]):
    for path in (ASK, "/materialize", "/push", "/write-to-online-store", "/search", "/chat"):
        refused = ask(path, SHARED, headers=headers)
        assert (path, refused.status) == (path, 401)
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert b"results" not in refused.body
    for path in (
        "/metrics",
        "/docs",
        "/openapi.json",
        "/static/chat/index.html",
        "/chat",
        "/v1/vector_stores",
    ):
        assert (path, ask(path, headers=headers).status) == (path, 401)
    assert ask("/health", headers=headers).status == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"feature_service": "retrieval_v1", "entities": {"user_id": ["u05"]}},
        {"feature_service": "ranking_v1", "entities": {"item_id": ["i02"]}},
        {"features": ["user_profile:gender"], "entities": {"user_id": ["u05"]}},
        {"features": ["user_history:item_ids"], "entities": {"user_id": ["u05"]}},
        {"features": ["user_activity:spend_30d", "user_profile:gender"], "entities": {"user_id": ["u05"]}},
    ],
    ids=["another service", "ranking", "demographics", "histories", "allowed and not"],
)
def test_a_team_does_not_read_what_is_not_shared(ask: Asking, reader: str, asked: dict[str, Any]):
    assert ask(ASK, asked, reader).status == 403
    # Feast would judge by the permissions of the project that the caller names, and by none let all through.
    assert ask(f"{ASK}?project=elsewhere", asked, reader).status == 403


def test_a_team_does_not_write(ask: Asking, reader: str):
    row = {"user_id": ["u05"], "known_at": ["2024-04-19T00:00:00Z"], "gender": ["written"]}
    window = {"start_ts": "2024-01-01", "end_ts": "2030-01-01"}
    for path, body in (
        ("/write-to-online-store", {"feature_view_name": "user_profile", "df": row}),
        ("/push", {"push_source_name": "nothing_such", "df": row}),
        ("/materialize", window),
        ("/materialize?async=true&force=true", window),
        ("/materialize-incremental", {"end_ts": "2030-01-01"}),
    ):
        assert (path, ask(path, body, reader).status) == (path, 403)
        project = f"{path}{'&' if '?' in path else '?'}project=elsewhere"
        assert (project, ask(project, body, reader).status) == (project, 403)
    assert store.get_online(ask.home, user_id="u05")["features"]["user_profile"]["gender"] != "written"


def test_the_pipelines_write(ask: Asking, writer: str):
    view = declared_views()["user_profile"]
    row = {feature.name: ["here"] for feature in view.features}
    row |= {"user_id": ["u77"], "known_at": ["2024-04-19T00:00:00Z"]}
    written = ask("/write-to-online-store", {"feature_view_name": "user_profile", "df": row}, writer)
    assert written.status == 200, written.body
    asked = {"features": ["user_profile:gender"], "entities": {"user_id": ["u77"]}}
    assert ask(ASK, asked, writer).values["gender"] == "here"


def test_the_upstream_door_is_still_open_where_no_permission_is_found():
    """When this fails, Feast has closed it, and `_OwnProjectOnly` can go."""
    view = declared_views()["user_profile"]
    assert enforce_policy([], User("anybody"), [view], [AuthzedAction.WRITE_ONLINE]) == [view]


def test_a_page_of_any_origin_cannot_call(ask: Asking, reader: str):
    preflight = ask(
        ASK,
        method="OPTIONS",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status == 401
    answered = ask(ASK, SHARED, reader, headers={"Origin": "http://evil.example"})
    for headers in (preflight.headers, answered.headers):
        assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_what_nobody_needs_is_not_there_even_with_a_key(ask: Asking, writer: str):
    for path in ("/chat", "/docs", "/openapi.json", "/static/chat/index.html", "/v1/vector_stores"):
        assert (path, ask(path, key=writer).status) == (path, 404)
    assert ask(ASK, key=writer).status == 404  # by GET
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert ask("/ws/chat", headers=upgrade, key=writer).status in (403, 404)


def test_wrong_look_ups_are_the_caller_s_fault(ask: Asking, reader: str, writer: str):
    for body in (
        {"feature_service": "nothing_such", "entities": {"user_id": ["u05"]}},
        {"features": ["nothing:such"], "entities": {"user_id": ["u05"]}},
        {"features": ["user_activity:such"], "entities": {"user_id": ["u05"]}},
        {"features": ["user_activity"], "entities": {"user_id": ["u05"]}},
        {"features": ["user_activity:spend_30d"], "entities": {}},
        {"features": ["user_activity:spend_30d"], "entities": {"item_id": ["i02"]}},
        {"features": ["user_activity:spend_30d"], "entities": {"user_id": "u05"}},
        {"features": [], "entities": {"user_id": ["u05"]}},
        {},
        [],
        "text",
    ):
        for key in (reader, writer):
            assert (body, ask(ASK, body, key).status // 100) == (body, 4)
    assert ask(ASK, {"entities": {"user_id": ["x" * 1_100_000]}}, reader).status == 413


def test_a_key_taken_away_ends_at_once_and_a_new_one_works_at_once(ask: Asking):
    keys = team_keys(ask.home)
    key = keys.add("passing", READER, NOW)
    assert ask(ASK, SHARED, key).status == 200
    keys.remove("passing")
    assert ask(ASK, SHARED, key).status == 401


def test_metrics_say_who_asks_what_and_how_old_features_are(ask: Asking, reader: str):
    ask(ASK, SHARED, reader)
    text = ask("/metrics", key=reader).body.decode()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["aisle_feature_requests_total", ASK, "200", "growth"] >= 1
    assert samples["aisle_features_over_budget", "user_activity"] == 1  # its data are of 2024
    assert samples["aisle_features_budget_seconds", "user_activity"] == 36 * 3600
    assert reader not in text


def serve(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["features", "serve", *arguments])
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "shop.example"])
def test_it_does_not_listen_beyond_this_machine_without_tls(
    home: Settings, reader: str, host: str, monkeypatch, capsys
):
    monkeypatch.setenv("AISLE_HOME", str(home.home))
    code, said = serve(capsys, "--host", host, "--port", "1")
    assert code == 2
    assert f"expected a loopback address, received {host}" in said
    assert "Features on" not in said


def test_it_does_not_listen_beyond_this_machine_before_any_team_has_a_key(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    (tmp_path / "cert.pem").touch()
    tls = ("--tls-certificate", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem"))
    code, said = serve(capsys, "--host", "0.0.0.0", "--port", "1", *tls)
    assert (code, "expected keys of teams" in said) == (2, True)
    assert serve(capsys, *tls[:2])[0] == 2  # a certificate without its key


def test_it_does_not_start_before_apply_nor_with_feast_s_master_name(
    home: Settings, tmp_path: Path, monkeypatch, capsys
):
    (tmp_path / "feast").mkdir()
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    code, said = serve(capsys, "--port", "1")
    assert (code, "aisle features apply" in said) == (1, True)
    monkeypatch.setenv("AISLE_HOME", str(home.home))
    monkeypatch.setenv("INTRA_COMMUNICATION_BASE64", "master")
    code, said = serve(capsys, "--port", "1")
    assert (code, "INTRA_COMMUNICATION_BASE64" in said) == (1, True)


def opened_to_readers(home: Settings) -> None:
    """Do to the registry what one request to Feast's UI can do: give readers everything."""
    store = open_store(home)
    everything = Permission(
        name="pipelines_do_everything",
        types=ALL_RESOURCE_TYPES,
        actions=ALL_ACTIONS,
        policy=RoleBasedPolicy(roles=[READER, WRITER]),
    )
    store.registry.apply_permission(everything, store.project)


def test_it_does_not_start_on_a_registry_whose_permissions_somebody_has_rewritten(
    built_home: Settings, tmp_path: Path
):
    home = Settings(home=tmp_path / "home", lake_uri=built_home.lake_root)
    shutil.copytree(built_home.home / "feast", home.home / "feast")
    opened_to_readers(home)
    with pytest.raises(FeatureError, match="received others: pipelines_do_everything"):
        build_app(home)


def test_a_registry_that_is_rewritten_while_it_runs_opens_nothing_and_stops_the_server(
    built_home: Settings, tmp_path: Path
):
    home = Settings(home=tmp_path / "home", lake_uri=built_home.lake_root)
    shutil.copytree(built_home.home / "feast", home.home / "feast")
    key = team_keys(home).add("curious", READER, datetime.now(UTC))
    log = tmp_path / "log.txt"
    question = {"features": ["user_profile:gender"], "entities": {"user_id": ["u05"]}}
    with feature_server(home, log) as ask:
        assert ask("/get-online-features", question, key).status == 403
        opened_to_readers(home)
        answered = set()
        for _ in range(240):
            try:
                answered.add(ask("/get-online-features", question, key).status)
            except urllib.error.URLError:
                break
            time.sleep(0.5)
        else:
            pytest.fail("the server went on for two minutes")
    assert answered == {403}
    assert "the feature server stops" in log.read_text()


def test_the_first_start_makes_a_key_for_whoever_started_it(home: Settings, tmp_path: Path):
    first = Settings(home=tmp_path / "home", lake_uri=home.lake_uri)
    shutil.copytree(home.home / "feast", first.home / "feast")
    (first.home / "feast" / "team_keys.json").unlink()
    with feature_server(first, tmp_path / "log.txt") as ask:
        path = first.home / "feast" / "local.key"
        assert path.stat().st_mode & 0o077 == 0
        key = path.read_text()
        assert ask(ASK, SHARED, key).status == 200
        assert ask("/materialize", {}, key).status == 403
    assert key not in (tmp_path / "log.txt").read_text()
