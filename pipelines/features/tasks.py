"""What the `build_features` and `materialize` DAGs call: text in, one small JSON document out."""

from datetime import datetime
from typing import Any

from pipelines.features.build import build_features
from pipelines.features.engines import engine_of
from pipelines.features.store import materialize
from pipelines.lake import open_lake
from pipelines.runtime import read_instant
from pipelines.settings import load_settings


def build(as_of: str | None) -> dict[str, Any]:
    """Build every feature table as known at `as_of` (None: just after the newest event)."""
    settings = load_settings()
    report = build_features(open_lake(settings), _instant(as_of), connect=engine_of(settings))
    return report.model_dump(mode="json")


def load(as_of: str | None) -> dict[str, Any]:
    """Load the online store with the newest values known at `as_of` (None: at the last build)."""
    loaded = materialize(load_settings(), end=_instant(as_of)).model_dump(mode="json")
    return {"as_of": loaded["end"], **loaded}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else read_instant(text)
