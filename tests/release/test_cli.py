"""`aisle release` and `aisle evaluate`: what they print, and how they exit."""

import json

import pytest

from pipelines.cli.main import main
from pipelines.release.gate import Check, Decision
from pipelines.release.registration import Measured, Origin, register_release
from pipelines.release.registry import Registry
from pipelines.tracking import begin_run
from tests.serving.tiny_bundle import write_tiny_bundle

REPORT = {
    "dataset": {"users": 1234},
    "models": {
        "release": {
            "metrics": {"ndcg@10": 0.3, "recall@10": 0.2, "mrr@10": None},
            "ci95": {"ndcg@10": [0.25, 0.35]},
        }
    },
    "gate": {
        "passed": True,
        "reasons": ["beats best baseline"],
        "checks": [{"name": "beats_best_baseline", "passed": True, "expected": "more", "received": "0.3"}],
    },
}


@pytest.fixture
def aisle(settings, monkeypatch, capsys):
    """Runs the command line against this test's registry: exit code, stdout, stderr."""
    monkeypatch.setenv("AISLE_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return int(left.value.code), said.out, said.err

    return run


def document(out: str) -> dict:
    """The one JSON document that a program reads."""
    (line,) = out.splitlines()
    return json.loads(line)


def test_promote_tells_programs_what_it_did(aisle, register):
    register()
    code, out, _ = aisle("release", "promote", "1", "--reason", "first", "--by", "kim", "--json")
    told = document(out)
    assert code == 0
    assert (told["ok"], told["version"], told["changed"], told["by"]) == (True, 1, True, "kim")


def test_a_refused_version_exits_1_with_the_reason_and_what_to_do(aisle, register):
    register("refused")
    code, out, err = aisle("release", "promote", "1", "--reason", "hope", "--json")
    assert code == 1
    assert document(out)["ok"] is False
    assert "below personal_frequency" in document(out)["error"]
    assert "--override" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("release", "promote", "1"),
        ("release", "promote", "--reason", "x"),
        ("release", "promote", "zero", "--reason", "x"),
        ("release", "promote", "0", "--reason", "x"),
        ("release", "nothing"),
        ("evaluate", "--workdir", "/does/not/exist"),
        ("evaluate", "--version", "1", "--workdir", "/"),
    ],
)
def test_wrong_usage_exits_2(aisle, arguments):
    code, out, err = aisle(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("aisle: ")


def test_rollback_returns_to_the_version_before(aisle, register):
    for version in ("1", "2"):
        register()
        aisle("release", "promote", version, "--reason", "r")
    code, out, _ = aisle("release", "rollback", "--reason", "bad lists", "--json")
    assert code == 0
    assert (document(out)["version"], document(out)["previous"]) == (1, 2)


def test_rollback_without_a_champion_exits_1(aisle):
    code, _, err = aisle("release", "rollback")
    assert code == 1
    assert "there is none" in err


def test_status_shows_versions_and_moves_to_people(aisle, register):
    register("refused")
    register("passed", {"ndcg_at_10": "0.3123"})
    aisle("release", "promote", "2", "--reason", "better lists", "--by", "kim")
    code, out, err = aisle("release", "status")
    assert code == 0
    assert out == ""
    for expected in ("champion", "refused", "0.3123", "better lists", "kim"):
        assert expected in err


def test_status_is_one_document_to_programs(aisle, register):
    register()
    aisle("release", "promote", "1", "--reason", "r", "--by", "kim")
    code, out, _ = aisle("release", "status", "--json")
    assert code == 0
    assert document(out)["champion"]["by"] == "kim"


def test_status_before_any_release_says_what_to_do(aisle):
    code, _, err = aisle("release", "status")
    assert code == 0
    assert "run the retrain DAG" in err


@pytest.fixture
def measured_version(settings, tmp_path) -> int:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    (bundle / "report.json").write_text(json.dumps(REPORT))
    run_id = begin_run(settings, "retrain", "k")
    origin = Origin("2024-05-01T00:00:00+00:00", {}, (), run_id, "2024-04-17T00:00:00+00:00")
    check = Check(name="beats_best_baseline", passed=True, expected="more", received="0.3")
    decision = Decision(passed=True, reasons=("beats best baseline",), checks=(check,))
    return register_release(settings, bundle, origin, Measured({"ndcg@10": 0.3}, {}, decision))["version"]


def test_gate_shows_what_was_asked_of_a_version(aisle, measured_version):
    code, out, err = aisle("release", "gate", "1")
    assert (code, out) == (0, "")
    assert "beats best baseline" in err
    assert "passed" in err
    code, out, _ = aisle("release", "gate", "1", "--json")
    assert document(out)["checks"][0]["received"] == "0.3"


def test_evaluate_shows_how_a_version_was_measured(aisle, measured_version):
    code, _, err = aisle("evaluate", "--version", "1")
    assert code == 0
    for expected in ("1,234 users", "0.3000", "0.2500-0.3500", "gate passed"):
        assert expected in err
    code, out, _ = aisle("evaluate", "--version", "1", "--json")
    assert document(out)["models"]["release"]["metrics"]["recall@10"] == 0.2


def test_gate_of_an_unknown_version_exits_1_with_those_that_exist(aisle, measured_version):
    code, _, err = aisle("release", "gate", "9")
    assert code == 1
    assert "received 9; there are 1" in err


def test_evaluate_without_anything_to_evaluate_says_what_to_do(aisle):
    code, _, err = aisle("evaluate")
    assert code == 1
    assert "--version" in err


def test_a_registry_that_cannot_be_reached_exits_1_with_the_setting_to_correct(aisle, monkeypatch):
    monkeypatch.setenv("AISLE_TRACKING_URI", "http://127.0.0.1:1")
    code, out, _ = aisle("release", "status", "--json")
    assert code == 1
    assert "AISLE_TRACKING_URI" in document(out)["error"]


def test_the_version_is_not_touched_by_looking_at_it(aisle, measured_version, settings):
    before = Registry(settings).version(1).tags
    aisle("release", "gate", "1")
    aisle("evaluate", "--version", "1")
    assert Registry(settings).version(1).tags == before
    assert not list(settings.home.glob("**/aisle-report-*"))
