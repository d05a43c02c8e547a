"""The door to the feature store: apply, join, materialize, look up."""

from pipelines.features.feast_repo import apply, open_store
from pipelines.features.feast_settings import feast_environment
from pipelines.features.historical import historical
from pipelines.features.look_up import get_online
from pipelines.features.materialization import MaterializeReport, materialize

__all__ = [
    "MaterializeReport",
    "apply",
    "feast_environment",
    "get_online",
    "historical",
    "materialize",
    "open_store",
]
