"""What the `build_features` DAG calls."""

from pipelines.release.feature_changes import apply
from pipelines.settings import load_settings


def declare() -> dict[str, int]:
    """Bring Feast's registry to what the feature repository declares; refused where a release would break."""
    return apply(load_settings())
