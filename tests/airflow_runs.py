"""Airflow in an interpreter of its own: it reads its settings when it is imported, and keeps them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOLD = "told: "
MIGRATE = "from airflow.utils.db import initdb; initdb()"


@pytest.fixture(scope="session")
def in_airflow(tmp_path_factory):
    """Run a script in a fresh interpreter with an Airflow home of its own; what it tells comes back.

    The script says it with `tell(value)`, once. `migrated` gives it a metadata database.
    """
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }

    def run(script, *arguments, limit_s=120, migrated=False, **extra):
        if migrated and not (home / "airflow.db").exists():
            script = f"{MIGRATE}\n{script}"
        preamble = f"import json, sys\ntell = lambda value: print({TOLD!r} + json.dumps(value))\n"
        done = subprocess.run(
            [sys.executable, "-c", preamble + script, *map(str, arguments)],
            env={**environment, **extra},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        told = [line for line in done.stdout.splitlines() if line.startswith(TOLD)]
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        assert told, f"it told nothing:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return json.loads(told[-1].removeprefix(TOLD))

    return run
