"""A stack ends every process it started, however it is left."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from infra.local.errors import ServiceError, StackBusyError
from infra.local.leftovers import marked_processes
from infra.local.ports import choose_port
from infra.local.services import Service, answers
from infra.local.stack import Stack

# A parent with a child in a session of its own; both ignore SIGTERM, as a hanging native library would.
STUBBORN_FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", ignore], start_new_session=True)
print("family is up", flush=True)
time.sleep(600)
"""


def sleeper(name="sleeper", **changes):
    return Service(name, (sys.executable, "-c", "import time; time.sleep(600)"), lambda: True, **changes)


def family(log):
    is_up = lambda: log.exists() and "family is up" in log.read_text()  # noqa: E731
    return Service("family", (sys.executable, "-c", STUBBORN_FAMILY), is_up)


def wait_for(question, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not question():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_service_is_healthy_once_it_answers_over_http(tmp_path):
    port = choose_port(0)
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    with Stack(tmp_path) as stack:
        stack.start(Service("web", command, answers(f"http://127.0.0.1:{port}/")))
        stack.wait_until_healthy()
        assert answers(f"http://127.0.0.1:{port}/")()
    assert not answers(f"http://127.0.0.1:{port}/")()


def test_leaving_ends_children_in_other_sessions_that_ignore_being_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("infra.local.stack.STOP_GRACE_S", 0.5)
    with Stack(tmp_path) as stack:
        stack.start(family(stack.logs / "family.log"))
        stack.wait_until_healthy()
        wait_for(lambda: len(marked_processes(tmp_path)) == 2)
        started = marked_processes(tmp_path)
    assert marked_processes(tmp_path) == []
    assert not any(process.is_running() for process in started)


def test_an_error_inside_ends_the_processes_too(tmp_path):
    def fail_with_a_service_running():
        with Stack(tmp_path) as stack:
            stack.start(sleeper())
            assert len(marked_processes(tmp_path)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_a_service_running()
    assert marked_processes(tmp_path) == []


def test_a_service_that_ends_early_shows_its_last_log_lines(tmp_path):
    failing = (sys.executable, "-c", "import sys; sys.exit('the database is locked')")
    with Stack(tmp_path) as stack:
        stack.start(Service("failing", failing, lambda: False))
        with pytest.raises(
            ServiceError, match=r"failing ended with exit code 1(.|\n)*the database is locked"
        ):
            stack.wait_until_healthy()


def test_a_service_that_is_never_healthy_meets_its_limit(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start(Service("mute", sleeper().command, lambda: False, limit_s=0.3))
        with pytest.raises(ServiceError, match="mute was not healthy within 0 s"):
            stack.wait_until_healthy()


def test_one_service_can_be_stopped_while_the_others_run_on(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start(sleeper("first"), sleeper("second"))
        stack.stop("first")
        assert len(marked_processes(tmp_path)) == 1
        stack.check()


def test_two_stacks_cannot_run_in_one_folder(tmp_path):
    with Stack(tmp_path), pytest.raises(StackBusyError, match=f"in use by process {os.getpid()}"):
        Stack(tmp_path).__enter__()


OWNER = """
import sys, signal, time
from pathlib import Path
from infra.local.services import Service
from infra.local.stack import Stack

def interrupt(*_):
    raise KeyboardInterrupt

# A process begun in the background of a script inherits an ignored SIGINT.
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, interrupt)
with Stack(Path(sys.argv[1])) as stack:
    stack.start(Service("sleeper", (sys.executable, "-c", "import time; time.sleep(600)"), lambda: True))
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def owner(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_owner_ends_everything(tmp_path, owner, number):
    assert len(marked_processes(tmp_path)) == 1
    owner.send_signal(number)
    owner.wait(timeout=20)
    assert marked_processes(tmp_path) == []


def test_what_a_killed_owner_left_is_ended_by_the_next_stack(tmp_path, owner):
    [orphan] = marked_processes(tmp_path)
    owner.kill()
    owner.wait(timeout=10)
    assert psutil.pid_exists(orphan.pid)
    with Stack(tmp_path):
        assert marked_processes(tmp_path) == []
