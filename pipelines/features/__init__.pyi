from .build import build_features as build_features
from .build import feature_tables as feature_tables
from .cli import as_json as as_json
from .cli import features as features
from .store import historical as historical
from .tasks import load as load

__all__ = [
    "as_json",
    "build_features",
    "feature_tables",
    "features",
    "historical",
    "load",
]
