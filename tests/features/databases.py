"""Real servers for tests: a Redis of the test's own, and a database in the machine's PostgreSQL."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis


def missing(what: str) -> None:
    """Skip the test, except in continuous integration, where it fails."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(what)
    pytest.skip(what)


class OwnRedis:
    """A Redis server that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--dir", str(self._folder)], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    if time.monotonic() > deadline:
                        pytest.fail(f"Redis did not start: {(self._folder / 'redis.log').read_text()}")
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        """Kill it: whatever it holds is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """A Redis that keeps nothing on disk, until the block ends."""
    if shutil.which("redis-server") is None:
        missing("no redis-server on this machine")
    server = OwnRedis(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def own_database() -> Iterator[str]:
    """Address of a database of its own on the PostgreSQL server of this machine."""
    try:
        connection = psycopg.connect("postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True)
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL server at 127.0.0.1:5432 ({error})")
        raise
    name = f"aisle_test_{uuid4().hex[:12]}"
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql://postgres@127.0.0.1:5432/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
