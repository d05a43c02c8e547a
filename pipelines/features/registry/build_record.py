"""What the feature tables were built from, kept beside them in the lake."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipelines.errors import FeatureError
from pipelines.features.transforms import FeatureConfig
from pipelines.lake import Lake

BUILD_TABLE = "feature_build"
"""Lake table of one row: what the feature tables were built from."""


def last_build(lake: Lake) -> dict[str, Any]:
    """What the feature tables were built from: `as_of known_from config inputs versions`.

    Raises:
        FeatureError: Features were never built.
    """
    if not lake.exists(BUILD_TABLE):
        raise FeatureError(
            f"expected feature tables in the lake {lake.root}, received none: run `aisle features build`"
        )
    row = lake.read(BUILD_TABLE).to_pylist()[0]
    return {name: json.loads(value) if isinstance(value, str) else value for name, value in row.items()}


def tables_of(build: Mapping[str, Any]) -> dict[str, int]:
    """Feature tables of a build and their versions."""
    return {f"features_{view}": version for view, version in build["versions"].items()}


def remember_build(
    lake: Lake,
    *,
    as_of: datetime,
    known_from: datetime,
    config: FeatureConfig,
    inputs: Mapping[str, int],
    versions: Mapping[str, int],
) -> None:
    """Write down what the feature tables were built from, for `last_build`."""
    instant = pa.timestamp("us", tz="UTC")
    lake.replace(
        BUILD_TABLE,
        pa.table(
            {
                "as_of": pa.array([as_of], instant),
                "known_from": pa.array([known_from], instant),
                "config": [config.model_dump_json()],
                "inputs": [json.dumps(dict(inputs))],
                "versions": [json.dumps(dict(versions))],
            }
        ),
    )
