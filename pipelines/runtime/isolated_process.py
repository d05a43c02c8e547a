"""Run one step in a fresh interpreter, with a time limit that holds.

TensorFlow can hang for ever in a forked process, and Airflow's own limit is not enforced while native code
hangs. So a heavy step gets its own interpreter in its own session, and the whole process group is killed at
the limit, when the parent stops waiting, and, by the closed pipe on its standard input, when the parent dies.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pipelines.errors
from pipelines.errors import AisleError, ProcessError

LOG = logging.getLogger(__name__)
KEPT_LINES = 30
GRACE_S = 5.0
LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


def run_in_own_process(
    target: str,
    arguments: Mapping[str, Any],
    *,
    limit_s: float,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Result of `target(**arguments)`, computed in a fresh interpreter.

    What the process writes goes line by line to this module's logger, so that it shows in the task's log.

    Args:
        target: The function as `"package.module:function"`; it returns a dict that JSON can hold.
        arguments: Its keyword arguments, as JSON can hold them.
        limit_s: Seconds after which the process and all its children are killed.
        environment: Variables to set for it beside those of this process.

    Raises:
        AisleError: The error that the step raised on purpose: same class, same message.
        ProcessError: Any other end: a foreign exception, a signal, the limit, a result that is no JSON.
    """
    try:
        request = json.dumps({"target": target, "arguments": dict(arguments)})
    except TypeError as error:
        raise ProcessError(
            f"{target} was given an argument that JSON cannot hold ({error}); pass text"
        ) from error
    with tempfile.TemporaryDirectory(prefix="aisle-step-") as folder:
        result_path = Path(folder) / "result.json"
        started = time.monotonic()
        child = subprocess.Popen(  # noqa: S603 - this interpreter, this module
            [sys.executable, "-m", "pipelines.runtime.isolated_process", str(result_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        reader = threading.Thread(target=_forward, args=(_pipe(child.stdout), lines), daemon=True)
        reader.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                _pipe(child.stdin).write(request + "\n")
                _pipe(child.stdin).flush()
            ended = _ends_before(child, started + limit_s)
        finally:
            _kill_group(child)
            reader.join(GRACE_S)
        seconds = time.monotonic() - started
        if not ended:
            raise ProcessError(
                f"{target} ran past its limit of {limit_s:g} s and was killed with its children; "
                f"give it more time, or look where it stopped:\n{_shown(lines)}"
            )
        LOG.info("%s took %.1f s in its own process", target, seconds)
        return _outcome(target, result_path, child.returncode, lines)


def _ends_before(child: subprocess.Popen[str], deadline: float) -> bool:
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill_group(child: subprocess.Popen[str]) -> None:
    """End the process and everything that it started: asked first, then killed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
        if not _ends_before(child, time.monotonic() + GRACE_S):
            LOG.warning("process %d did not stop when asked and is killed", child.pid)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    with contextlib.suppress(BrokenPipeError):
        _pipe(child.stdin).close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    """The stream that was asked for as a pipe, and so is there."""
    if stream is None:
        raise ProcessError("the process was started without its pipes")
    return stream


def _forward(stream: IO[str], lines: deque[str]) -> None:
    """Log every line at its own level, and keep the last ones for an error's message."""
    with stream:
        for line in stream:
            text = line.rstrip()
            lines.append(text)
            level, _, rest = text.partition(" ")
            LOG.log(LEVELS.get(level, logging.INFO), "%s", rest if level in LEVELS else text)


def _outcome(target: str, result_path: Path, code: int, lines: deque[str]) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
    except FileNotFoundError:
        ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        hint = "; SIGKILL usually means that memory ran out" if code == -signal.SIGKILL else ""
        raise ProcessError(
            f"{target} {ending} before it gave a result{hint}. Its last lines:\n{_shown(lines)}"
        ) from None
    if "result" in outcome:
        return dict(outcome["result"])
    known = getattr(pipelines.errors, outcome["type"], None)
    if isinstance(known, type) and issubclass(known, AisleError) and outcome["module"] == known.__module__:
        error = known(outcome["message"])
        error.add_note(f"raised by {target} in its own process; its last lines:\n{_shown(lines)}")
        raise error
    raise ProcessError(
        f"{target} failed with {outcome['type']}: {outcome['message']}. Its last lines:\n{_shown(lines)}"
    )


def _shown(lines: deque[str]) -> str:
    return "\n".join(f"  | {line}" for line in lines) or "  | (it wrote nothing)"


def _child(result_path: Path) -> int:
    """What the fresh interpreter does: read the request, call the function, leave the outcome."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    outcome: dict[str, Any]
    try:
        outcome = {"result": _call(request["target"], request["arguments"])}
    except Exception as error:
        logging.getLogger("aisle.step").exception("the step failed")
        kind = type(error)
        outcome = {"type": kind.__name__, "module": kind.__module__, "message": str(error)}
    unfinished = result_path.with_suffix(".part")
    unfinished.write_text(json.dumps(outcome), "utf-8")
    unfinished.replace(result_path)
    return 0 if "result" in outcome else 1


def _call(target: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    from importlib import import_module

    module, _, name = target.partition(":")
    result = getattr(import_module(module), name)(**arguments)
    if not isinstance(result, dict):
        raise ProcessError(
            f"{target} must return a dict to be run in its own process, but returned {type(result)}"
        )
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ProcessError(f"{target} returned something that JSON cannot hold: {error}") from error
    return result


def _die_with_parent() -> None:
    """Kill this whole group once the parent's end of standard input closes."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_child(Path(sys.argv[1])))
