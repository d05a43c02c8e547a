"""`aisle features …` from build to look-up."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.lake import Lake
from pipelines.settings import Settings


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["features", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def home(ingested_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    monkeypatch.setenv("AISLE_LAKE_URI", str(tmp_path / "lake"))
    (tmp_path / "lake").mkdir()
    for table in ("events", "items", "users"):
        (tmp_path / "lake" / table).symlink_to(Path(ingested_home.lake_root) / table)
    return tmp_path


def test_features_are_built_applied_materialized_and_looked_up(home, capsys):
    code, out, _ = run(capsys, "build", "--as-of", "2024-04-20", "--span-days", "30", "--json")
    built = json.loads(out)
    assert code == 0
    assert datetime.fromisoformat(built["as_of"]) == datetime(2024, 4, 20, tzinfo=UTC)
    assert datetime.fromisoformat(built["known_from"]) == datetime(2024, 3, 21, tzinfo=UTC)

    code, out, _ = run(capsys, "apply", "--json")
    assert (code, json.loads(out)["removed"]) == (0, 0)
    code, out, _ = run(capsys, "apply", "--json")
    assert (code, json.loads(out)["removed"]) == (0, 0)

    code, out, _ = run(capsys, "materialize", "--json")
    assert code == 0
    assert json.loads(out)["views"]["item_profile"] == 80

    code, out, _ = run(capsys, "get", "--user", "u05", "--json")
    assert code == 0
    assert json.loads(out)["features"]["user_profile"]["location"] == "south"

    code, out, _ = run(capsys, "get", "--item", "i02")
    assert code == 0
    assert "item_profile:title" in out


def test_the_environment_for_feast_own_commands_is_shown(home, capsys):
    code, out, _ = run(capsys, "env")
    assert code == 0
    assert f"export AISLE_HOME={home.resolve()}" in out.splitlines()


def test_the_environment_survives_a_shell_whatever_the_path_is(home, capsys, monkeypatch):
    monkeypatch.setenv("AISLE_HOME", f"{home}/it's here; $HOME")
    _, out, _ = run(capsys, "env")
    said = subprocess.run(
        ["sh", "-c", f'{out}\nprintf %s "$AISLE_HOME"'], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"{home.resolve()}/it's here; $HOME"


def test_a_build_of_before_all_events_leaves_the_tables_as_they_are(home, capsys):
    assert run(capsys, "build", "--as-of", "2024-04-20")[0] == 0
    code, _, err = run(capsys, "build", "--as-of", "1900-01-01")
    assert (code, "expected events before 1900-01-01" in err) == (1, True)
    assert Lake(home / "lake").read("features_user_profile").num_rows > 0


@pytest.mark.parametrize(
    "arguments",
    [("get",), ("get", "--user", "u05", "--item", "i02"), ("build", "--as-of", "yesterday"), ("nothing",)],
)
def test_wrong_usage_ends_with_2(home, capsys, arguments):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert err.startswith("aisle: ")


def test_a_look_up_before_anything_was_applied_says_what_to_do(home, capsys):
    code, out, err = run(capsys, "get", "--user", "u05", "--json")
    assert code == 1
    assert "aisle features apply" in err
    assert json.loads(out)["ok"] is False
