"""Run one step in a fresh interpreter, with a time limit that holds.

TensorFlow can hang for ever in a forked process, and Airflow's own limit is not enforced while native code
hangs. So a heavy step gets its own interpreter in its own session, and the whole process group is killed at
the limit, when the parent stops waiting, and, by the closed pipe on its standard input, when the parent dies.
"""

import contextlib
import inspect
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

import pipelines.errors
from pipelines.errors import AisleError, ProcessError
from serving.credentials import LogFormatter

LOG = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
KEPT_LINES = 30
GRACE_S = 5.0
LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process of its own may take, and what it is told beside its arguments."""

    seconds: float
    """After which the process and all its children are killed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables to set for it beside those of this process."""


def run_isolated(
    function: Callable[Parameters, Result],
    limits: Limits,
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Result of `function(*args, **kwargs)`, computed in a fresh interpreter.

    Arguments and result travel as JSON: what the function's annotations say is what arrives, be it a path, an
    instant, a dataclass or a pydantic model. Lines that the process writes go to this module's logger one by
    one, so that they show in the task's log.

    Args:
        function: A function at the top level of a module, with annotations.
        limits: Time limit and environment.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Raises:
        AisleError: The error that the step raised on purpose: same class, same message.
        ProcessError: Any other end: a foreign exception, a signal, the limit, a result that is no JSON.
    """
    target = f"{function.__module__}:{function.__qualname__}"
    if "<" in target or target.startswith("__main__:"):
        raise ProcessError(f"expected a function at the top level of an importable module, received {target}")
    try:
        request = json.dumps({"target": target, "arguments": to_jsonable_python([list(args), dict(kwargs)])})
    except PydanticSerializationError as error:
        raise ProcessError(
            f"{target} was given an argument that JSON cannot hold ({error}); pass text"
        ) from error
    limit_s, environment = limits.seconds, limits.environment
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
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
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
        outcome = _outcome(target, result_path, child.returncode, lines)
        return cast("Result", TypeAdapter(_hints(function)["return"]).validate_python(outcome))


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


def _outcome(target: str, result_path: Path, code: int, lines: deque[str]) -> Any:
    try:
        outcome: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
    except FileNotFoundError:
        ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        hint = "; SIGKILL usually means that memory ran out" if code == -signal.SIGKILL else ""
        raise ProcessError(
            f"{target} {ending} before it gave a result{hint}. Its last lines:\n{_shown(lines)}"
        ) from None
    if "result" in outcome:
        return outcome["result"]
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
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


def _call(target: str, arguments: Sequence[Any]) -> Any:
    """The result as JSON can hold it; arguments become what the function's annotations say."""
    module, _, name = target.partition(":")
    function = getattr(import_module(module), name)
    hints = _hints(function)
    bound = inspect.signature(function).bind(*arguments[0], **arguments[1])
    for argument, value in bound.arguments.items():
        bound.arguments[argument] = TypeAdapter(hints[argument]).validate_python(value)
    result = function(*bound.args, **bound.kwargs)
    try:
        plain = to_jsonable_python(result, inf_nan_mode="constants")
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ProcessError(f"{target} returned something that JSON cannot hold: {error}") from error
    return plain


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations by parameter, and of `return`; anything where there is none."""
    hints = get_type_hints(function, include_extras=True)
    names = [*inspect.signature(function).parameters, "return"]
    return {name: hints.get(name, Any) for name in names}


def _die_with_parent() -> None:
    """Kill this whole group once the parent's end of standard input closes."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_child(Path(sys.argv[1])))
