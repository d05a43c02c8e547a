"""Serving as it runs: a process of its own on loopback, with real connections."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
SHOP_CLOCK = "2024-05-01T00:00:00Z"


class ServingProcess:
    """`python -m serving` with its own home; use as a context manager.

    Args:
        home: The folder that it shares with the pipelines.
        environment: Settings beyond those of a test.
        python: The interpreter that runs it.
        folder: Where it is started.
    """

    def __init__(
        self, home: Path, python: str = sys.executable, folder: Path = ROOT, **environment: str
    ) -> None:
        self.home = home
        self._python = python
        self._folder = folder
        self._environment = {
            "AISLE_SERVING_HOME": str(home),
            "AISLE_SERVING_PORT": "0",
            "AISLE_SERVING_CLOCK_START_AT": SHOP_CLOCK,
            "AISLE_SERVING_POLL_SECONDS": "0.2",
            "AISLE_SERVING_WORKERS": "1",
            **environment,
        }
        self.lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> "ServingProcess":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
        self.log = (self.home / "serving.log").open("ab")
        self.process = subprocess.Popen(
            [self._python, "-m", "serving"],
            cwd=self._folder,
            env=inherited | self._environment,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        threading.Thread(target=self._read_lines, daemon=True).start()
        try:
            line = self.lines.get(timeout=180)
        except queue.Empty:
            self.process.kill()
            raise AssertionError(f"serving did not start:\n{self.errors()}") from None
        assert line.startswith("Aisle serving: http://127.0.0.1:"), f"{line}\n{self.errors()}"
        self.url = line.removeprefix("Aisle serving: ").strip().rstrip("/")
        self.client = httpx.Client(base_url=self.url, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.log.close()

    def _read_lines(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def errors(self) -> str:
        """What it wrote to stderr."""
        return (self.home / "serving.log").read_text()[-6000:]

    def kill(self) -> None:
        """Take it away as `kill -9` does."""
        self.process.kill()
        self.process.wait(10)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(path, json=body)

    def release(self) -> dict[str, Any]:
        return self.client.get("/v1/release").json()

    def wait_for(self, what: Callable[[dict[str, Any]], bool], limit_s: float = 120) -> dict[str, Any]:
        """What `/v1/release` says once `what` holds of it."""
        until = time.monotonic() + limit_s
        while not what(answer := self.release()):
            assert time.monotonic() < until, f"still {answer}\n{self.errors()}"
            time.sleep(0.05)
        return answer

    def wait_for_version(self, version: str, limit_s: float = 120) -> dict[str, Any]:
        return self.wait_for(lambda answer: (answer["release"] or {}).get("version") == version, limit_s)

    def list_for(self, user_id: str, **wishes: Any) -> dict[str, Any]:
        """The answer to a request for a list."""
        answer = self.post("/v1/recommendations", {"user_id": user_id, **wishes})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tell(self, *events: dict[str, Any]) -> dict[str, Any]:
        """The answer to a batch of events."""
        answer = self.post("/v1/events", {"events": list(events)})
        assert answer.status_code == 200, answer.text
        return answer.json()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]
