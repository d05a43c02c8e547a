"""The door to MLflow's tracking: runs with their settings, curves, inputs, artifacts and errors.

Every call names its tracking server and its run; nothing hangs on MLflow's global state. So steps that run in
processes of their own write into one tree of runs, passing the parent's run id as an argument.
"""

import os

# MLflow reads these when it is imported. It would report its use to its makers, and write to stdout, which
# belongs to a command's JSON document.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from pipelines.tracking.content import code_revision, flattened
from pipelines.tracking.runs import Run, begin_run, end_run, fail_run, reopen_run, resume, run
from pipelines.tracking.server import as_default, connect, translated, unless_absent

__all__ = [
    "Run",
    "as_default",
    "begin_run",
    "code_revision",
    "connect",
    "end_run",
    "fail_run",
    "flattened",
    "reopen_run",
    "resume",
    "run",
    "translated",
    "unless_absent",
]
