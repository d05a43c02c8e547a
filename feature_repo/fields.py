"""How a feature is written down: what it means, its unit, and what null says."""

from feast import Field
from feast.types import FeastType

WINDOWS = (1, 7, 30)
"""Days of the moving windows; a window ends when the last whole day ended."""


def feature(name: str, dtype: FeastType, description: str, *, unit: str, null: str = "never") -> Field:
    """Declare one feature.

    Args:
        name: Column of the feature table.
        dtype: Feast type.
        description: What the value means, one sentence.
        unit: What it is counted in.
        null: When there is no value.
    """
    return Field(name=name, dtype=dtype, description=description, tags={"unit": unit, "null": null})


def key(name: str, dtype: FeastType) -> Field:
    """Declare the join key of a view."""
    return Field(name=name, dtype=dtype, description="Join key.", tags={"unit": "id", "null": "never"})
