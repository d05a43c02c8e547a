"""`aisle ingest` on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.main import main

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def aisle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `aisle ingest …` on a lake of its own: exit code, stdout and stderr."""
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "home"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["ingest", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_the_report_is_one_json_document(aisle: Callable[..., tuple[int, str, str]], write: Write):
    code, out, err = aisle(write("users.csv", "user_id,age\n1,30\n2,-1\n,40\n"), "--json")
    report = json.loads(out)
    assert code == 0
    assert report["ok"] is True
    assert (report["rows_in"], report["accepted"], report["quarantined"]) == (3, 2, 1)
    assert report["tables"]["users"]["rows_in"] == 3
    assert report["unreadable"] == {"users.age_band": 1}
    assert report["as_of"] is None
    assert err == ""


def test_a_person_sees_the_report_once(aisle: Callable[..., tuple[int, str, str]], write: Write):
    mapping = write("../shop.yaml", "event_types: {scroll: null}")
    rows = "a,2024-05-01,u,view,i,12.5\nb,2024-05-01,u,scroll,i,\nc,,u,view,i,\nd,2024-05-01,u,view,i,dear\n"
    file = write("events.csv", f"event_id,event_at,user_id,event_type,item_id,price\n{rows}")
    code, out, err = aisle(file, "--mapping", mapping)
    assert (code, out) == (0, "")
    assert err.count("event_at is missing") == 1
    assert "events.price" in err
    assert "1 events of type scroll" in err


def test_a_source_that_cannot_be_read_fails_with_one_line(
    aisle: Callable[..., tuple[int, str, str]], write: Write
):
    code, out, err = aisle(write("users.csv", ""), "--json")
    assert code == 1
    assert "the file is empty" in json.loads(out)["error"]
    assert "Traceback" not in err


def test_no_source_is_wrong_usage(aisle: Callable[..., tuple[int, str, str]]):
    assert aisle()[0] == 2


def test_a_password_is_not_shown(aisle: Callable[..., tuple[int, str, str]]):
    code, out, err = aisle("mysql://shop:s3cret@127.0.0.1:1/shop", "--json")
    assert code == 1
    assert "s3cret" not in out + err


def test_a_span_is_given_in_days(aisle: Callable[..., tuple[int, str, str]], tiny_shop: Path):
    code, out, _ = aisle(tiny_shop, "--since", "2024-03-01", "--until", "2024-03-02", "--json")
    report = json.loads(out)
    assert code == 0
    assert 0 < report["tables"]["events"]["accepted"] < 1000
    assert report["as_of"].startswith("2024-03-01")
