"""Reaching the MLflow server: probed before use, its errors told in our words."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException, RestException
from requests.exceptions import RequestException

from pipelines.errors import TrackingError
from pipelines.settings import Settings
from serving.credentials import without_credentials

PROBE_S = 5.0
SQLITE = "sqlite:///"
Answer = TypeVar("Answer")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what MLflow raises into a `TrackingError` that says what was being done."""
    try:
        yield
    except RestException as error:
        raise TrackingError(f"MLflow refused {doing}: {error.message}") from error
    except MlflowException as error:
        raise TrackingError(f"MLflow failed at {doing}: {error.message}") from error
    except RequestException as error:
        raise TrackingError(
            f"MLflow could not be reached for {doing}: {error}; check that the server still runs"
        ) from error


def unless_absent(ask: Callable[[], Answer]) -> Answer | None:
    """What MLflow answers, or None where it says that there is no such thing."""
    try:
        return ask()
    except MlflowException as error:
        # A missing alias is an "invalid parameter" to MLflow, everything else that is missing a resource.
        missing_alias = error.error_code == "INVALID_PARAMETER_VALUE" and "alias" in error.message.lower()
        if error.error_code == "RESOURCE_DOES_NOT_EXIST" or missing_alias:
            return None
        raise


def connect(settings: Settings) -> MlflowClient:
    """Client of the tracking server and registry that the settings name.

    Raises:
        TrackingError: No server answers there; MLflow's own retries would take minutes to say so.
    """
    uri = settings.mlflow_uri
    if uri.startswith(("http://", "https://")):
        _probe(uri)
    elif uri.startswith(SQLITE):
        Path(uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    with translated(f"opening {without_credentials(uri)}"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def as_default(settings: Settings) -> Iterator[None]:
    """Make this MLflow's own default for a while.

    Its registry on a database, and its downloads by `models:/` addresses, look at the process's default,
    whatever client or address they are given: without this nothing is found, and an empty database appears in
    the working directory.
    """
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(settings.mlflow_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type] # None unsets it


def _probe(uri: str) -> None:
    """Ask something that the server checks the Host header for; its health it tells to anybody."""
    question = f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        with urllib.request.urlopen(question, timeout=PROBE_S) as answer:  # noqa: S310 - an http(s) setting
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.UNAUTHORIZED:
            return  # the client has credentials of its own, from MLflow's own settings
        hint = "; list this host:port in its --allowed-hosts" if error.code == HTTPStatus.FORBIDDEN else ""
        raise TrackingError(f"the MLflow server at {uri} answered {error.code} to a probe{hint}") from error
    except (OSError, ValueError) as error:
        raise TrackingError(
            f"expected an MLflow server at {uri}, but nothing answers there ({error}); "
            "start it, or correct AISLE_TRACKING_URI"
        ) from error


def experiment_id(client: MlflowClient, settings: Settings) -> str:
    """Id of the experiment, created on first use; embedded, its artifacts lie beside the database."""
    with translated(f"looking for experiment {settings.experiment}"):
        experiment: Experiment | None = client.get_experiment_by_name(settings.experiment)
        if experiment is None:
            embedded = settings.mlflow_uri.startswith(SQLITE)
            location = (settings.home / "mlflow" / "artifacts").resolve().as_uri() if embedded else None
            try:
                return str(client.create_experiment(settings.experiment, artifact_location=location))
            except MlflowException:
                experiment = client.get_experiment_by_name(settings.experiment)
                if experiment is None:
                    raise
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"experiment {settings.experiment!r} was deleted in MLflow; restore it there, "
            "or set AISLE_EXPERIMENT to another name"
        )
    return str(experiment.experiment_id)
