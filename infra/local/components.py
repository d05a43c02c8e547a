"""The services beside Airflow: MLflow, the serving process and Feast's UI, all on loopback."""

import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.ports import LOOPBACK
from infra.local.services import Service, answers


def mlflow(home: Path, port: int, environment: Mapping[str, str]) -> Service:
    """MLflow on SQLite, handing artifacts through itself; `home` holds its database and artifacts."""
    home.mkdir(parents=True, exist_ok=True)
    command = (
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", LOOPBACK, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
        *("--artifacts-destination", str(home / "artifacts"), "--serve-artifacts"),
        # It compares the Host header with its port in it.
        *("--allowed-hosts", f"{LOOPBACK}:{port},localhost:{port}"),
    )
    quiet = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its job API asks nobody who they are
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    # Asked under the host and port that clients will use, so a refused Host header shows at once.
    is_healthy = answers(f"http://{LOOPBACK}:{port}/health", expected="OK")
    return Service("mlflow", command, is_healthy, {**environment, **quiet}, limit_s=180)


def serving(port: int, environment: Mapping[str, str]) -> Service:
    """The serving process; healthy as soon as it answers, also before there is a release."""
    command = (sys.executable, "-m", "serving", "--host", LOOPBACK, "--port", str(port))
    return Service("serving", command, answers(f"http://{LOOPBACK}:{port}/healthz"), environment)


def feast_ui(port: int, environment: Mapping[str, str]) -> Service:
    """Feast's UI behind its gate; the registry must have been applied."""
    command = (sys.executable, "-m", "pipelines.cli.main", "features", "ui", "--port", str(port))
    return Service("feast-ui", command, answers(f"http://{LOOPBACK}:{port}/"), environment)
