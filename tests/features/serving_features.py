"""A feature server in a process of its own, and how tests ask it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from pipelines.settings import Settings

LIMIT_S = 240
"""How long the server may take to start on a busy machine."""


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def values(self) -> dict[str, Any]:
        """Features of the first entity by name."""
        found = json.loads(self.body)
        names = found["metadata"]["feature_names"]
        return {name: result["values"][0] for name, result in zip(names, found["results"], strict=True)}


@dataclass(frozen=True)
class Asking:
    """Asks one server."""

    address: str
    home: Settings

    def __call__(
        self,
        path: str,
        body: Any = None,
        key: str | None = None,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send a request, with the key as bearer token."""
        request = urllib.request.Request(
            f"{self.address}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | dict(headers or {}),
            method=method,
        )
        if key is not None:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answered(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answered(refused.code, refused.headers, refused.read())


@contextmanager
def feature_server(home: Settings, log: Path) -> Iterator[Asking]:
    """Run `aisle features serve` over a home until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asking = Asking(f"http://127.0.0.1:{port}", home)
    aisle = Path(sys.executable).with_name("aisle")
    with log.open("w") as output:
        process = subprocess.Popen(
            [aisle, "features", "serve", "--port", str(port)],
            env=os.environ | home.as_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                if asking("/health").status == 200:
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the feature server did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.3)
        yield asking
    finally:
        process.terminate()
        process.wait(timeout=30)
