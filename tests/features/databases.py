"""Real servers for tests: a Redis of the test's own, and a database of its own in a PostgreSQL."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
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
def own_database(folder: Path) -> Iterator[str]:
    """Address of a database of the test's own, on the machine's PostgreSQL or, without one, on its own."""
    found = "postgresql://postgres@127.0.0.1:5432"
    try:
        psycopg.connect(f"{found}/postgres").close()
    except psycopg.OperationalError:
        with own_postgresql(folder) as server, _new_database(server) as address:
            yield address
    else:
        with _new_database(found) as address:
            yield address


@contextmanager
def own_postgresql(folder: Path) -> Iterator[str]:
    """Address of a PostgreSQL server that lives in a new folder, until the block ends."""
    initdb, postgres = (_postgresql_program(name) for name in ("initdb", "postgres"))
    # It refuses to run as root, and its user must be able to reach the folder.
    account = "postgres" if os.getuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="aisle-postgresql-"))
    if account is not None:
        shutil.chown(home, account)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"postgresql://postgres@127.0.0.1:{port}"
    make = [initdb, "-D", str(home / "data"), "-U", "postgres", "-A", "trust", "--no-sync"]
    serve = [postgres, "-D", str(home / "data"), "-p", str(port), "-h", "127.0.0.1", "-k", str(home), "-F"]
    with (folder / "postgresql.log").open("ab") as log:
        subprocess.run(make, check=True, stdout=log, stderr=log, user=account, cwd=home)
        process = subprocess.Popen(serve, stdout=log, stderr=log, user=account, cwd=home)
    try:
        _wait_for(address, folder / "postgresql.log")
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        shutil.rmtree(home)


def _postgresql_program(name: str) -> str:
    """Debian keeps the server's programs beside its versions, not on the path."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    program = str(beside[-1]) if beside else shutil.which(name)
    if program is None:
        missing(f"no PostgreSQL server at 127.0.0.1:5432, and no {name} on this machine to start one")
    return str(program)


def _wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(f"{address}/postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
            time.sleep(0.1)
        else:
            return


@contextmanager
def _new_database(server: str) -> Iterator[str]:
    name = f"aisle_test_{uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
