"""Keys of teams: shown once, kept as hashes, gone when taken away."""

import json
import stat
from datetime import UTC, datetime

import pytest

from feature_repo.permissions import READER, WRITER
from pipelines.cli.main import main
from pipelines.errors import FeatureError, WrongUsageError
from pipelines.features.server.api_keys import TeamKeys

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def test_a_key_is_known_by_its_holder_until_it_is_taken_away(tmp_path):
    keys = TeamKeys(tmp_path / "keys.json")
    first, second = keys.add("growth", READER, NOW), keys.add("growth", READER, NOW)
    other = keys.add("pipelines", WRITER, NOW)
    reader = TeamKeys(tmp_path / "keys.json")  # as a server in another process
    assert [reader.holder_of(one).team for one in (first, second, other)] == ["growth", "growth", "pipelines"]
    assert reader.holder_of(other).role == WRITER
    assert reader.holder_of(f"{first}x") is None
    assert reader.holder_of("") is None
    assert keys.remove("growth") == 2
    assert reader.holder_of(first) is None
    assert reader.holder_of(other).team == "pipelines"
    assert keys.remove("growth") == 0


def test_no_key_can_be_read_from_the_file_nor_the_file_by_others(tmp_path):
    path = tmp_path / "feast" / "keys.json"
    key = TeamKeys(path).add("growth", READER, NOW)
    assert len(key.partition(".")[2]) >= 43  # 256 bits
    assert key.partition(".")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_and_roles_that_cannot_be_right_are_refused(tmp_path):
    keys = TeamKeys(tmp_path / "keys.json")
    for name in ("", "Growth", "a" * 41, "a b", "../x", "7up"):
        with pytest.raises(WrongUsageError, match="expected a team name"):
            keys.add(name, READER, NOW)
    with pytest.raises(WrongUsageError, match="expected a role"):
        keys.add("growth", "admin", NOW)


def test_a_damaged_file_lets_nobody_in_and_says_so(tmp_path):
    path = tmp_path / "keys.json"
    key = TeamKeys(path).add("growth", READER, NOW)
    path.write_text("{")
    with pytest.raises(FeatureError, match="aisle features key add"):
        TeamKeys(path).holder_of(key)
    path.unlink()
    assert TeamKeys(path).holder_of(key) is None


def test_keys_are_given_listed_and_taken_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["features", "key", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    code, out = run("add", "growth", "--json")
    assert code == 0
    made = json.loads(out)
    assert TeamKeys(tmp_path / "feast" / "team_keys.json").holder_of(made["key"]).role == READER
    assert json.loads(run("add", "etl", "--writer", "--json")[1])["role"] == WRITER
    code, out = run("list", "--json")
    assert [one["team"] for one in json.loads(out)["keys"]] == ["growth", "etl"]
    assert made["key"] not in out
    assert run("remove", "growth")[0] == 0
    assert run("remove", "growth")[0] == 1
