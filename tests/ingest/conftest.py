"""A lake of its own for every test, and the servers that ingest reads from."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest

from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import ingest
from pipelines.lake import Lake, open_lake
from pipelines.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
"""The present of these tests."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


@pytest.fixture
def take_in(settings: Settings) -> Callable[..., IngestReport]:
    """Ingest into the test's own lake, at `NOW`."""

    def take_in(*sources: str | Path, **options: Any) -> IngestReport:
        return ingest(sources, settings, **{"now": NOW, **options})

    return take_in


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's folder `shop`, and say where it is."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


class Database:
    """A database of its own on the MariaDB server of this machine."""

    def __init__(self, cursor: pymysql.cursors.Cursor, name: str) -> None:
        self._cursor = cursor
        self.address = f"mysql://root@127.0.0.1:3306/{name}"

    def run(self, *statements: str) -> None:
        for statement in statements:
            self._cursor.execute(statement)


@pytest.fixture
def database() -> Iterator[Database]:
    """A fresh database; skips where no server runs, except in continuous integration."""
    try:
        connection = pymysql.connect(host="127.0.0.1", port=3306, user="root", password="", autocommit=True)
    except pymysql.MySQLError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"expected a MariaDB server at 127.0.0.1:3306, received: {error}")
        pytest.skip(f"no MariaDB server at 127.0.0.1:3306 ({error})")
    name = f"aisle_test_{uuid4().hex[:12]}"
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            cursor.execute(f"USE {name}")
            cursor.execute("SET sql_mode = ''")  # a shop's server may take dates that are none
            yield Database(cursor, name)
        finally:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of a store that speaks S3, in a process of its own: delta-rs holds the GIL while it waits."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        address = next(line.rpartition(" ")[2].strip() for line in server.stderr if "Running on" in line)
        _wait_for(f"{address}/moto-api/")
        yield address
        server.terminate()
        server.stderr.close()


def _wait_for(address: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
