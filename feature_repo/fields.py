"""How a feature is written down: what it means, its unit, its window, and what null says."""

import re

from feast import Field
from feast.types import FeastType

WINDOWS = (1, 7, 30)
"""Days of the moving windows; a window ends when the last whole day ended."""


ALL_TIME = "all time"
"""Window of what is counted from the first event on."""

NO_WINDOW = "none"
"""Window of what is about an instant, not a time."""

LENGTH = re.compile(r"_(\d+)d$")
"""How a name says that its value is of the last so many whole days."""


def feature(
    name: str,
    dtype: FeastType,
    description: str,
    *,
    unit: str,
    window: str | None = None,
    null: str = "never",
) -> Field:
    """Declare one feature.

    Args:
        name: Column of the feature table.
        dtype: Feast type.
        description: What the value means, one sentence.
        unit: What it is counted in.
        window: Which time it is about; a name that ends in `_30d` or `_total` says so itself.
        null: When there is no value.
    """
    tags = {"unit": unit, "window": window or _window_in(name), "null": null}
    return Field(name=name, dtype=dtype, description=description, tags=tags)


def last(days: int) -> str:
    """Name a moving window in a sentence: `the last whole day`, `the last 7 whole days`."""
    return "the last whole day" if days == 1 else f"the last {days} whole days"


def key(name: str, dtype: FeastType) -> Field:
    """Declare the join key of a view."""
    tags = {"unit": "id", "window": NO_WINDOW, "null": "never"}
    return Field(name=name, dtype=dtype, description="Join key.", tags=tags)


def _window_in(name: str) -> str:
    if found := LENGTH.search(name):
        days = int(found[1])
        return "1 day" if days == 1 else f"{days} days"
    if name.endswith("_total"):
        return ALL_TIME
    raise ValueError(
        f"expected `window` for feature {name}, whose name names none: say which time it is about"
    )
