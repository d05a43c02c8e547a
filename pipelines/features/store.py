"""The door to the feature store: apply, join, materialize, look up."""

from pipelines.features.online_store import MaterializeReport, get_online
from pipelines.features.online_store.materialize import materialize
from pipelines.features.registry import apply, open_store
from pipelines.features.registry.feast_environment import feast_environment
from pipelines.features.training_features import historical

__all__ = [
    "MaterializeReport",
    "apply",
    "feast_environment",
    "get_online",
    "historical",
    "materialize",
    "open_store",
]
