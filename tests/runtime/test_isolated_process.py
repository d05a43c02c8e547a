"""A step in a process of its own: its result, its errors, its limit and what it leaves behind."""

import logging
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

from pipelines.errors import ProcessError, TrainingError
from pipelines.runtime.isolated_process import Limits, run_isolated

STEPS = """
import logging, os, signal, subprocess, sys, time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from pipelines.errors import TrainingError

def add(a, b):
    return {"sum": a + b, "pid": os.getpid(), "group": os.getpgid(0), "session": os.getsid(0)}

def talk():
    print("a plain line", flush=True)
    logging.getLogger("tower").warning("loss is high")
    return {}

def refuse():
    raise TrainingError("expected 5 events, received 2; ingest more")

def stumble():
    print("before the fall", flush=True)
    raise KeyError("price")

def crash():
    os.kill(os.getpid(), signal.SIGKILL)

def leave_early():
    os._exit(7)

def hang(note):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(note, "w") as f:
        f.write(f"{os.getpid()} {child.pid}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def litter(note):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(note, "w") as f:
        f.write(f"{child.pid}")
    return {}

@dataclass(frozen=True)
class Fitted:
    folder: Path
    year: int
    losses: tuple[float, ...]

def fit(folder: Path, as_of: datetime) -> Fitted:
    return Fitted(folder, as_of.year, (0.5, 0.25))

def not_json():
    return {"when": object()}

def nan():
    return {"loss": float("nan")}

def variable(name):
    return {"value": os.environ.get(name)}
"""


@pytest.fixture(autouse=True)
def _steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "steps_of_the_test.py").write_text(STEPS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("steps_of_the_test", None)


def run(name: str, limit_s: float = 60, **arguments):
    return run_isolated(getattr(import_module("steps_of_the_test"), name), Limits(limit_s), **arguments)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    if status.parent.parent.exists() and Path("/proc/self").exists():
        return status.exists() and "State:\tZ" not in status.read_text()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(*pids: int, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_the_result_comes_from_another_process_in_its_own_session_and_group():
    result = run("add", a=2, b=3)
    assert result["sum"] == 5
    assert result["pid"] == result["group"] == result["session"]
    assert result["pid"] != os.getpid()


def test_its_lines_go_to_the_log_at_their_own_level(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="pipelines.runtime.isolated_process")
    run("talk")
    said = {(record.levelname, record.message) for record in caplog.records}
    assert ("INFO", "a plain line") in said
    assert ("WARNING", "tower: loss is high") in said


def test_an_error_raised_on_purpose_comes_back_as_the_same_class_and_message():
    with pytest.raises(TrainingError) as caught:
        run("refuse")
    assert str(caught.value) == "expected 5 events, received 2; ingest more"


def test_a_foreign_exception_is_told_with_its_type_and_the_last_lines():
    with pytest.raises(ProcessError, match="KeyError: 'price'") as caught:
        run("stumble")
    assert "before the fall" in str(caught.value)


def test_a_killed_process_is_told_by_its_signal_and_the_likely_reason():
    with pytest.raises(ProcessError, match=r"SIGKILL before it gave a result.*memory ran out"):
        run("crash")


def test_a_process_that_leaves_without_a_result_is_an_error():
    with pytest.raises(ProcessError, match="ended with code 7"):
        run("leave_early")


def test_at_the_limit_the_process_and_its_children_are_killed_even_if_they_ignore_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pipelines.runtime.isolated_process.GRACE_S", 0.3)
    note = tmp_path / "pids"
    started = time.monotonic()
    with pytest.raises(ProcessError, match=r"past its limit of 2 s"):
        run("hang", limit_s=2, note=str(note))
    assert time.monotonic() - started < 10
    pids = [int(pid) for pid in note.read_text().split()]
    assert len(pids) == 2
    assert gone(*pids)


def test_what_a_finished_step_left_running_is_killed(tmp_path: Path):
    note = tmp_path / "pid"
    run("litter", note=str(note))
    assert gone(int(note.read_text()))


def test_when_the_parent_is_killed_the_process_and_its_children_go_too(tmp_path: Path):
    note = tmp_path / "pids"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pipelines.runtime.isolated_process import Limits, run_isolated;"
            "import steps_of_the_test; run_isolated(steps_of_the_test.hang, Limits(600), note=sys.argv[1])",
            str(note),
        ]
    )
    deadline = time.monotonic() + 30
    while not (note.exists() and len(note.read_text().split()) == 2):
        assert time.monotonic() < deadline, "the step never began"
        time.sleep(0.05)
    pids = [int(pid) for pid in note.read_text().split()]
    assert all(is_running(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(*pids)


@pytest.mark.parametrize("name", ["not_json", "nan"])
def test_a_result_that_json_cannot_hold_is_an_error(name: str):
    with pytest.raises(ProcessError, match="JSON"):
        run(name)


def test_paths_instants_and_dataclasses_arrive_as_what_the_annotations_say():
    fitted = run("fit", folder=Path("a") / "b", as_of=datetime(2024, 5, 1, tzinfo=UTC))
    assert fitted == import_module("steps_of_the_test").Fitted(Path("a/b"), 2024, (0.5, 0.25))


def test_a_function_that_another_process_cannot_import_is_refused():
    with pytest.raises(ProcessError, match="at the top level of an importable module"):
        run_isolated(lambda: None, Limits(60))


def test_an_argument_that_json_cannot_hold_is_refused_before_anything_starts():
    with pytest.raises(ProcessError, match="pass text"):
        run("add", a=object(), b=1)


def test_variables_can_be_set_for_the_process_alone():
    steps = import_module("steps_of_the_test")
    result = run_isolated(steps.variable, Limits(60, {"AISLE_TEST_ONLY": "yes"}), name="AISLE_TEST_ONLY")
    assert result == {"value": "yes"}
    assert "AISLE_TEST_ONLY" not in os.environ
