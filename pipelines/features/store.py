"""The door to the feature store: apply, join, materialize, look up."""

from pipelines.features.online_store.lookup import get_online
from pipelines.features.online_store.materialize import MaterializeReport, materialize
from pipelines.features.registry.feast import apply, open_store
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
