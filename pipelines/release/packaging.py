"""A sealed bundle as one version of the registered model, which MLflow itself can load and serve."""

import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.release.registry import BUNDLE_PATH
from pipelines.settings import Settings
from pipelines.tracking import as_default, connect, resume, translated
from serving.bundle import Bundle, Spec, read_spec

SERVED_MODEL = Path(__file__).with_name("mlflow_model.py")
"""The code that MLflow runs when it loads a version."""

CREATION_LIMIT_S = 120


def create_version(
    settings: Settings, bundle: Path, *, run_id: str, tags: Mapping[str, str], description: str
) -> int:
    """Number of the new version that holds this bundle.

    The tags are set in the act of creation, so no version exists without its gate verdict.

    Args:
        settings: Where the registry is.
        bundle: A sealed bundle.
        run_id: The run that the version came from.
        tags: The version's tags.
        description: What a person reads beside the version in the MLflow UI, in Markdown.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    client = connect(settings)
    with (
        tempfile.TemporaryDirectory(prefix="aisle-model-") as folder,
        as_default(settings),
        translated("registering the release"),
    ):
        experiment_id = client.get_run(run_id).info.experiment_id
        model = client.create_logged_model(
            experiment_id, name=settings.model_name, source_run_id=run_id, tags=dict(tags)
        )
        path = Path(folder) / "model"
        # MLflow keeps an artifact under its folder's own name, and serving looks for one name.
        named = Path(folder) / PurePosixPath(BUNDLE_PATH).name
        shutil.copytree(bundle, named)
        save_model(path, named, run_id=run_id, model_id=model.model_id)
        client.log_model_artifacts(model.model_id, str(path))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        try:
            client.create_registered_model(
                settings.model_name, description="Releases of the recommender: one signed bundle per version."
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = client.create_model_version(
            settings.model_name,
            source=f"models:/{model.model_id}",
            run_id=run_id,
            tags={**tags, "bundle_path": BUNDLE_PATH},
            description=description,
            await_creation_for=CREATION_LIMIT_S,
            model_id=model.model_id,
        )
    resume(settings, run_id).set_tags({"release_version": str(created.version)})
    return int(created.version)


def save_model(path: Path, bundle: Path, *, run_id: str | None = None, model_id: str | None = None) -> None:
    """Write the MLflow model: the bundle as it is, and the code file that answers from it."""
    import mlflow.pyfunc
    from mlflow.models import Model

    mlflow.pyfunc.save_model(
        path=str(path),
        python_model=str(SERVED_MODEL),
        artifacts={"bundle": str(bundle)},
        signature=_signature(read_spec(bundle)),
        input_example=_example(bundle),
        pip_requirements=[f"aisle[serving]=={version('aisle')}"],
        mlflow_model=Model(run_id=run_id, model_id=model_id),
    )


def _signature(spec: Spec) -> Any:
    """What a row may hold; every column may be left out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    types: dict[str, Any] = {
        "item_ids": Array(DataType.string),
        "event_types": Array(DataType.string),
        "event_times": Array(DataType.long),
        "at": DataType.double,
        "k": DataType.long,
        "surface": DataType.string,
        "item_id": DataType.string,
        "category": DataType.string,
        **dict.fromkeys(spec.user_features, DataType.double),
        **dict.fromkeys((feature.name for feature in spec.profile_features), DataType.string),
    }
    return ModelSignature(Schema([ColSpec(kind, name, required=False) for name, kind in types.items()]))


def _example(bundle: Path) -> list[dict[str, Any]]:
    """A row that the model can answer: somebody who once bought the first item of the catalogue."""
    opened = Bundle.open(bundle)
    bought = {
        "item_ids": [opened.item(0).item_id],
        "event_types": [opened.spec.target_types[0]],
        "event_times": [1_700_000_000],
    }
    return [{**bought, "k": 3}]
