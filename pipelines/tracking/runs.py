"""Runs: one for each step, with what went in, how it went and what came out."""

import json
import logging
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from pydantic import BaseModel

from pipelines.errors import TrackingError
from pipelines.settings import Settings
from pipelines.tracking.content import as_metric, as_text, code_revision, flattened
from pipelines.tracking.server import connect, experiment_id, translated

LOG = logging.getLogger(__name__)
SYSTEM_METRICS_EVERY_S = 2
PARAMS_AT_ONCE = 100
METRICS_AT_ONCE = 1000
ERROR_TAG_LENGTH = 4000
FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"


@dataclass(frozen=True, slots=True)
class Run:
    """One MLflow run that is being written."""

    client: MlflowClient
    run_id: str

    def log_params(self, config: BaseModel | Mapping[str, Any] | object, prefix: str = "") -> None:
        """Log a whole configuration, nested fields joined by dots."""
        params = [Param(name, as_text(value)) for name, value in flattened(config, prefix).items()]
        with translated("logging params"):
            for start in range(0, len(params), PARAMS_AT_ONCE):
                self.client.log_batch(self.run_id, params=params[start : start + PARAMS_AT_ONCE])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers under their names; what is not finite is left out, `ndcg@10` becomes `ndcg_at_10`."""
        self._log(as_metric(name, value, step) for name, value in metrics.items())

    def log_curves(self, curves: Mapping[str, Sequence[float]]) -> None:
        """Log one value per epoch under every name; the first epoch is step 1."""
        self._log(
            as_metric(name, value, epoch)
            for name, values in curves.items()
            for epoch, value in enumerate(values, 1)
        )

    def _log(self, metrics: Iterable[Metric | None]) -> None:
        finite = [metric for metric in metrics if metric is not None]
        with translated("logging metrics"):
            for start in range(0, len(finite), METRICS_AT_ONCE):
                self.client.log_batch(self.run_id, metrics=finite[start : start + METRICS_AT_ONCE])

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values that are no text are written as JSON."""
        with translated("setting tags"):
            self.client.log_batch(
                self.run_id, tags=[RunTag(key, as_text(value)) for key, value in tags.items()]
            )

    def log_inputs(
        self,
        *,
        as_of: datetime | str,
        lake_versions: Mapping[str, int],
        feature_services: Sequence[str] = (),
    ) -> None:
        """Log what the run was made from, so that its training set can be built again."""
        at = as_of if isinstance(as_of, str) else as_of.isoformat()
        self.log_params(
            {"as_of": at, "lake": dict(lake_versions), "feature_services": list(feature_services)}
        )

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as an artifact; `.html` opens in the MLflow UI."""
        with translated(f"logging {name}"):
            self.client.log_text(self.run_id, text, name)

    def log_json(self, content: Mapping[str, Any] | Sequence[Any], name: str) -> None:
        """Keep a JSON document as an artifact."""
        self.log_text(json.dumps(content, indent=2, default=str), name)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a folder with all that is in it, as an artifact."""
        with translated(f"logging {path.name}"):
            if path.is_dir():
                self.client.log_artifacts(self.run_id, str(path), folder)
            else:
                self.client.log_artifact(self.run_id, str(path), folder)

    def fetch(self, path: str, folder: Path) -> Path | None:
        """An artifact, copied into a folder; None where the run has none at that path."""
        with translated(f"fetching {path}"):
            above = path.rpartition("/")[0]
            if path not in {entry.path for entry in self.client.list_artifacts(self.run_id, above or None)}:
                return None
            folder.mkdir(parents=True, exist_ok=True)
            return Path(self.client.download_artifacts(self.run_id, path, str(folder)))


@contextmanager
def run(
    settings: Settings,
    name: str,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    system_metrics: bool = True,
) -> Iterator[Run]:
    """A run that ends FINISHED, FAILED with its error, or KILLED when the process is told to stop.

    Args:
        settings: Where the tracking server is.
        name: What the run does, such as `retrieval`.
        parent_run_id: The run that this one is a part of, begun in any process.
        tags: Facts by which the run is found again.
        system_metrics: Whether processor, memory, disk and network are sampled while it goes on.
    """
    parent = {"mlflow.parentRunId": parent_run_id} if parent_run_id else {}
    this = _created(connect(settings), settings, name, {**parent, **(tags or {})})
    monitor = _started_monitor(settings, this.run_id) if system_metrics else None
    started = time.perf_counter()
    status = FINISHED
    try:
        yield this
    except Exception as error:
        status = FAILED
        _keep_error(this, error)
        raise
    except BaseException:
        status = KILLED
        raise
    finally:
        if monitor is not None:
            _stop(monitor)
        _end(this, status, time.perf_counter() - started)


def begin_run(settings: Settings, name: str, key: str, *, tags: Mapping[str, object] | None = None) -> str:
    """Id of the run that carries this key: begun now, or set running again where it is there already.

    It stays open across processes until `end_run` or `fail_run`.
    """
    client = connect(settings)
    with translated(f"beginning run {name}"):
        found = client.search_runs(
            [experiment_id(client, settings)], filter_string=f"tags.run_key = '{key}'", max_results=1
        )
        if found:
            client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
    return _created(client, settings, name, {"run_key": key, **(tags or {})}).run_id


def resume(settings: Settings, run_id: str) -> Run:
    """The run with this id, to write more into it."""
    client = connect(settings)
    with translated(f"reading run {run_id}"):
        client.get_run(run_id)
    return Run(client, run_id)


def reopen_run(settings: Settings, run_id: str) -> None:
    """Set a run going again that had ended, such as one whose failed step is tried anew."""
    with translated(f"reopening run {run_id}"):
        connect(settings).update_run(run_id, status="RUNNING")


def end_run(settings: Settings, run_id: str) -> None:
    """End a run that was begun with `begin_run` as finished."""
    with translated(f"ending run {run_id}"):
        connect(settings).set_terminated(run_id, FINISHED)


def fail_run(settings: Settings, run_id: str, error: BaseException) -> None:
    """End a run that was begun with `begin_run` as failed, with the error that stopped it."""
    this = resume(settings, run_id)
    _keep_error(this, error)
    with translated(f"ending run {run_id}"):
        this.client.set_terminated(run_id, FAILED)


def _created(client: MlflowClient, settings: Settings, name: str, tags: Mapping[str, object]) -> Run:
    facts = {"mlflow.source.name": "aisle", "code_revision": code_revision(), **tags}
    with translated(f"beginning run {name}"):
        created = client.create_run(
            experiment_id(client, settings),
            run_name=name,
            tags={key: as_text(value) for key, value in facts.items()},
        )
    return Run(client, created.info.run_id)


def _started_monitor(settings: Settings, run_id: str) -> SystemMetricsMonitor:
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=SYSTEM_METRICS_EVERY_S, tracking_uri=settings.mlflow_uri
    )
    monitor.start()
    return monitor


def _stop(monitor: SystemMetricsMonitor) -> None:
    """Stop sampling; a last sample is taken, so that a run shorter than the interval has one too."""
    monitor.finish()
    try:
        with translated("logging system metrics"):
            monitor.collect_metrics()
            monitor.publish_metrics(monitor.aggregate_metrics())
            monitor.mlflow_logger.flush()
    except TrackingError as error:
        LOG.warning("the last system metrics were lost: %s", error)


def _keep_error(this: Run, error: BaseException) -> None:
    """Leave the error in the run; a server that fails here must not hide the error itself."""
    try:
        this.set_tags({"error_type": type(error).__name__, "error": str(error)[:ERROR_TAG_LENGTH]})
        this.log_text("".join(traceback.format_exception(error)), "error.txt")
    except TrackingError as unreachable:
        LOG.warning("the error could not be kept in run %s: %s", this.run_id, unreachable)


def _end(this: Run, status: str, seconds: float) -> None:
    try:
        this.log_metrics({"duration_s": seconds})
        with translated(f"ending run {this.run_id}"):
            this.client.set_terminated(this.run_id, status)
    except TrackingError:
        if status == FINISHED:
            raise
        LOG.warning("run %s could not be ended as %s", this.run_id, status)
