"""A service: one long-lived process with a log and a question that tells when it is healthy."""

import http.client
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOG_LINES_SHOWN = 15

# Health questions go to loopback: a proxy of the environment has no business in them.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Service:
    """What to run, with which environment, and how to tell that it is up."""

    name: str
    command: tuple[str, ...]
    is_healthy: Callable[[], bool]
    """Asked again and again; true once the service does its work."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of this process."""
    limit_s: float = 120.0
    """How long it may take to become healthy."""


def answers(url: str, *, expected: str = "") -> Callable[[], bool]:
    """A health question: does `url` answer with a status below 400, and `expected` in the body?"""

    def question() -> bool:
        try:
            with _opener.open(url, timeout=2) as response:
                body: bytes = response.read(65_536)
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False
        return expected in body.decode(errors="replace")

    return question


@dataclass
class Running:
    """A service that was started."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, service: Service, logs: Path, mark: Mapping[str, str]) -> "Running":
        """Start the service in a session of its own, both outputs going to `<logs>/<name>.log`."""
        log = logs / f"{service.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  the command is ours
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **service.environment, **mark},
                start_new_session=True,
            )
        return cls(service, process, log)

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self.process.poll()

    def last_lines(self) -> str:
        """The end of its log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"
