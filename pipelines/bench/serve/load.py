"""Load from a process of its own: requests at intended instants, whether or not the ones before are answered.

Run as a program it reads a `Plan` as JSON from stdin and prints what came back. A latency counts from the
instant at which a request was due, so that a server that stalls cannot hide it (coordinated omission).
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

MOST_CONNECTIONS = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent."""

    port: int
    path: str
    bodies: list[str]
    """JSON texts, sent in turn."""
    seconds: float
    rate: float = 0.0
    """Requests per second, at exponential intervals; 0 sends as fast as `connections` are answered."""
    connections: int = 8
    """Connections of a load without a rate."""
    headers: dict[str, str] = field(default_factory=dict)
    seed: int = 0


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request under way at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._received = b""
        self.due = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at `due` on the clock of `time.perf_counter`."""
        self.due, self.busy, self._received = due, True, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) >= end + 4 + length:
            self.busy = False
            self._load.answered(self, int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost(self)

    def close(self) -> None:
        self._transport.close()


class _Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        named = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
        self._requests = [
            (
                f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"{named}Content-Length: {len(body.encode())}\r\n\r\n{body}"
            ).encode()
            for body in plan.bodies
        ]
        self._sent = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[float] = deque()
        self._open: set[_Connection] = set()
        self._connecting = 0
        self._ending = False
        self.latencies: list[tuple[int, float]] = []

    async def run(self) -> dict[str, Any]:
        """Send everything, wait for what is under way, and tell what came back."""
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        self._until = begun + self._plan.seconds
        if self._plan.rate:
            rng = np.random.default_rng(self._plan.seed)
            expected = self._plan.rate * self._plan.seconds
            gaps = rng.exponential(1 / self._plan.rate, int(expected + 4 * expected**0.5 + 10))
            for due in begun + np.cumsum(gaps):
                if due >= self._until:
                    break
                if (ahead := due - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                self._due(loop, float(due))
        else:
            for _ in range(self._plan.connections):
                self._due(loop, time.perf_counter())
            await asyncio.sleep(self._plan.seconds)
        limit = time.perf_counter() + 5
        while (self._waiting or self._under_way()) and time.perf_counter() < limit:
            await asyncio.sleep(0.01)
        self._ending = True
        unanswered = len(self._waiting) + self._under_way()
        for connection in self._open:
            connection.close()
        await asyncio.sleep(0.05)
        return self._told(time.perf_counter() - begun, unanswered)

    def _under_way(self) -> int:
        return self._sent - len(self.latencies)

    def _due(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if self._idle:
            self._send(self._idle.pop(), due)
            return
        self._waiting.append(due)
        if len(self._open) + self._connecting < MOST_CONNECTIONS:
            self._connecting += 1
            task = loop.create_task(self._connect(loop))
            task.add_done_callback(lambda done: done.exception())

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            _, made = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._plan.port)
        finally:
            self._connecting -= 1
        self._open.add(made)
        self._next(made)

    def _next(self, connection: _Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _send(self, connection: _Connection, due: float) -> None:
        request = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        connection.send(request, due)

    def answered(self, connection: _Connection, status: int) -> None:
        now = time.perf_counter()
        self.latencies.append((status, now - connection.due))
        if not self._plan.rate and now < self._until:
            self._send(connection, now)
        else:
            self._next(connection)

    def lost(self, connection: _Connection) -> None:
        self._open.discard(connection)
        if connection.busy and not self._ending:
            self.latencies.append((0, time.perf_counter() - connection.due))
        if connection in self._idle:
            self._idle.remove(connection)

    def _told(self, seconds: float, unanswered: int) -> dict[str, Any]:
        statuses = Counter(status for status, _ in self.latencies)
        statuses[0] += unanswered
        good = np.array([took for status, took in self.latencies if status == 200])
        refused = np.array([took for status, took in self.latencies if status in (429, 503)])
        return {
            "sent": self._sent,
            "seconds": seconds,
            "statuses": {str(status): count for status, count in statuses.items() if count},
            "answered_rps": len(good) / max(self._plan.seconds, 1e-9),
            "errors": sum(count for status, count in statuses.items() if status != 200),
            **{f"p{share}_ms": _percentile(good, share) for share in (50, 90, 99)},
            "refusal_p99_ms": _percentile(refused, 99),
        }


def _percentile(seconds: Any, share: int) -> float | None:
    return round(1_000 * float(np.percentile(seconds, share)), 3) if len(seconds) else None


async def send(plan: Plan) -> dict[str, Any]:
    """Send it all from this process.

    Returns:
        `sent`, `seconds`, `statuses` (0 = no answer), `answered_rps` of answers 200, `errors` (all other
        ends), `p50_ms`, `p90_ms`, `p99_ms` of answers 200, and `refusal_p99_ms` of answers 429 and 503.
    """
    return await _Load(plan).run()


def as_text(plan: Plan) -> str:
    """The plan as the program reads it."""
    return json.dumps(asdict(plan))


def main() -> None:
    """Read a plan from stdin, send it, print what came back."""
    import uvloop

    plan = Plan(**json.load(sys.stdin))
    sys.stdout.write(json.dumps(uvloop.run(send(plan))))


if __name__ == "__main__":
    main()
