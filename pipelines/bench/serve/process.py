"""Processes that are measured: starting them, and what they take of processor and memory."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pipelines.bench.serve.load import Plan, as_text
from pipelines.bench.serve.release import AS_OF
from pipelines.errors import ProcessError

START_LIMIT_S = 120.0
CLOCK_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Serving:
    """`aisle-serve` on a home, as a context manager that ends once it answers `/readyz`.

    Args:
        home: What it serves from.
        workers: Processes that answer; None leaves it to the default.
        environment: Settings beyond those.
    """

    def __init__(self, home: Path, workers: int | None = None, **environment: str) -> None:
        own = {
            "AISLE_SERVING_HOME": str(home.resolve()),
            "AISLE_SERVING_PORT": str(free_port()),
            "AISLE_SERVING_CLOCK_START_AT": AS_OF.isoformat(),
            "AISLE_SERVING_POLL_SECONDS": "0.1",
            "AISLE_SERVING_LOG_LEVEL": "warning",
            **({} if workers is None else {"AISLE_SERVING_WORKERS": str(workers)}),
            **environment,
        }
        self.port = int(own["AISLE_SERVING_PORT"])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
        self._environment = inherited | own
        self._log = home / "serving.log"

    def __enter__(self) -> "Serving":
        began = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving"], env=self._environment, stdout=log, stderr=log
            )
        try:
            _wait_for(f"http://127.0.0.1:{self.port}/readyz", self._process, self._log)
        except BaseException:
            self._process.kill()
            raise
        self.start_seconds = time.perf_counter() - began
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def cpu_seconds(self) -> float:
        """Processor time that the process and its workers have taken."""
        return sum(_cpu_seconds(pid) for pid in _family(self._process.pid))

    def memory_mb(self) -> float:
        """Memory of the process and its workers, what they share counted once (PSS)."""
        return sum(_pss_kb(pid) for pid in _family(self._process.pid)) / 1024

    def workers(self) -> int:
        """Processes that answer."""
        return max(1, len(_family(self._process.pid)) - 1)

    def stages_ms(self) -> dict[str, float]:
        """Mean milliseconds of each stage of a list since the start."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        totals = {
            kind: dict(re.findall(rf'^aisle_stage_seconds_{kind}{{stage="(\w+)"}} (\S+)', text, re.M))
            for kind in ("sum", "count")
        }
        return {
            stage: round(1_000 * float(total) / max(1.0, float(totals["count"][stage])), 3)
            for stage, total in totals["sum"].items()
        }


def start_load(plan: Plan) -> "subprocess.Popen[str]":
    """A process that sends the plan; its stdout is the JSON of what came back."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.bench.serve.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdin is None:
        raise ProcessError("expected a pipe to the load generator, received none")
    process.stdin.write(as_text(plan))
    process.stdin.close()
    process.stdin = None
    return process


@contextlib.contextmanager
def mlflow_serving(model: Path, workers: int) -> Iterator[int]:
    """`mlflow models serve` of a model's folder, until the block ends; gives its port."""
    port, log = free_port(), model.parent / "mlflow-serve.log"
    program = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    with log.open("ab") as stream:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, mlflow's own command
            [*program, "-h", "127.0.0.1", "-p", str(port), "-w", str(workers)],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise ProcessError(
        f"expected an answer of {url}, received none; its log ends:\n{log.read_text()[-2000:]}"
    )


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found.extend(int(child) for child in children.read_text().split())
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * CLOCK_TICK_S


def _pss_kb(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(text.partition("\nPss:")[2].split()[0])
