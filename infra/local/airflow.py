"""Airflow on one machine: its settings, its secrets and its three processes.

SQLite metadata, the LocalExecutor with a small parallelism, the simple auth manager with a generated
password. No triggerer: none of our DAGs defers.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import ServiceError
from infra.local.ports import LOOPBACK
from infra.local.services import Service, answers

USER = "aisle"
PARALLELISM = 2
LONGEST_TASK_S = 2 * 3600
MIGRATION_LIMIT_S = 180


@dataclass(frozen=True)
class Airflow:
    """Where Airflow lives: its folder, its port and the folder of the DAG files."""

    home: Path
    port: int
    dags: Path

    @property
    def url(self) -> str:
        """Address of the UI and the API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def password(self) -> str:
        """The generated password of user `aisle`; made at first use, kept from then on."""
        return self._secrets()["password"]

    def environment(self) -> dict[str, str]:
        """Airflow's settings as environment variables, each with the reason where it is not the default."""
        kept = self._secrets()
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            # Whoever starts this decides what runs first, and unpauses then.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": kept["fernet_key"],
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": kept["secret_key"],
            "AIRFLOW__API__INSTANCE_NAME": "Aisle",
            "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
            # A task whose token expires while it works is killed: longer than the longest task.
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": str(LONGEST_TASK_S),
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            # The supervisor notices the end of a task within this many seconds (default 5).
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Write the password file and bring the metadata database to this version; harmless to repeat.

        Raises:
            ServiceError: When the migration fails or takes too long.
        """
        _write_private(self._passwords_file, json.dumps({USER: self.password}))
        done = subprocess.run(  # noqa: S603  the command is ours
            [*_airflow(), "db", "migrate"],
            env={**os.environ, **environment, **self.environment()},
            capture_output=True,
            text=True,
            timeout=MIGRATION_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(
                f"`airflow db migrate` failed for {self.home / 'airflow.db'}:\n{done.stderr[-2000:]}\n"
                "If the file is of a newer Airflow or damaged, remove it and start again."
            )

    def services(self, environment: Mapping[str, str]) -> tuple[Service, ...]:
        """API server, scheduler and DAG processor; tasks inherit `environment`."""
        everything = {**environment, **self.environment()}
        health = f"{self.url}/api/v2/monitor/health"
        return (
            Service(
                "airflow-api-server",
                (*_airflow(), "api-server"),
                # Its task API is built at the first request, for seconds: better now than in the first task.
                answers(f"{self.url}/execution/health"),
                everything,
            ),
            Service(
                "airflow-scheduler",
                # The API server reads task logs from the same disk: no log server that listens everywhere.
                (*_airflow(), "scheduler", "--skip-serve-logs"),
                answers(health, expected='"scheduler":{"status":"healthy"'),
                everything,
            ),
            Service(
                "airflow-dag-processor",
                (*_airflow(), "dag-processor"),
                answers(health, expected='"dag_processor":{"status":"healthy"'),
                everything,
            ),
        )

    @property
    def _passwords_file(self) -> Path:
        return self.home / "passwords.json"

    def _secrets(self) -> dict[str, str]:
        file = self.home / "secrets.json"
        if not file.exists():
            made = {name: secrets.token_urlsafe(48) for name in ("jwt_secret", "secret_key")}
            made["password"] = secrets.token_urlsafe(12)
            made["fernet_key"] = _fernet_key()
            _write_private(file, json.dumps(made))
        kept: dict[str, str] = json.loads(file.read_text())
        return kept


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _airflow() -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow")


def _write_private(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(content)
