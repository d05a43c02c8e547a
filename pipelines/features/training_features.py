"""Features as known at instants of the past, for training sets."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureService
from feast.errors import FeastObjectNotFoundException

from pipelines.errors import FeatureError
from pipelines.features.registry import last_build, open_store
from pipelines.lake import open_lake
from pipelines.settings import Settings

TIMESTAMP = "event_timestamp"
"""Column of an entity frame with the instants."""


def historical(
    settings: Settings,
    entity_frame: pd.DataFrame,
    service: str,
    without: Collection[str] = (),
    *,
    with_ages: bool = False,
) -> pa.Table:
    """Return the features of a service as known at the instant of each row: rows out = rows in, in order.

    Args:
        settings: Where the stores are.
        entity_frame: The service's keys (`user_id`, `item_id`) and `event_timestamp`; other columns are kept.
        service: Name of a feature service, such as `retrieval_v1`.
        without: Names of the service's feature views to leave out, such as a wide one that is not needed.
        with_ages: Add how old the values of each view were.

    Returns:
        The columns of the frame, then the features by their bare names, then `<view>__age_s` where wanted:
        seconds, null where nothing was known. Values that have outlived their time to live are null; their
        age is there.

    Raises:
        FeatureError: The service is unknown, a column is missing, or an instant lies before those for which
            features are kept.
    """
    if TIMESTAMP not in entity_frame.columns:
        raise FeatureError(f"expected a column {TIMESTAMP}, received {list(entity_frame.columns)}")
    known_from: datetime = last_build(open_lake(settings))["known_from"]
    earliest = pd.to_datetime(entity_frame[TIMESTAMP], utc=True).min()
    if earliest < known_from:
        raise FeatureError(
            f"expected instants from {known_from.isoformat()} on, for which features are kept, received "
            f"{earliest.isoformat()}: build features with more span days, or leave the earlier rows out"
        )
    store = open_store(settings)
    try:
        wanted = store.get_feature_service(service)
    except FeastObjectNotFoundException as error:
        raise FeatureError(
            f"expected an applied feature service, received {service!r}: run `aisle features apply`"
        ) from error
    features: FeatureService | list[str] = wanted
    if without:
        views = [view for view in wanted.feature_view_projections if view.name not in without]
        features = [f"{view.name}:{one.name}" for view in views for one in view.features]
    job: Any = store.get_historical_features(entity_df=entity_frame, features=features)
    answer: pa.Table = job.to_arrow()
    if answer.num_rows != len(entity_frame):
        raise FeatureError(f"expected {len(entity_frame)} rows of {service}, received {answer.num_rows}")
    return _with_ages(answer, job.known_at()) if with_ages else answer


def _with_ages(answer: pa.Table, known_at: pa.Table) -> pa.Table:
    for name in known_at.column_names:
        age = pc.subtract(answer[TIMESTAMP].cast(pa.int64()), known_at[name].cast(pa.int64()))
        answer = answer.append_column(f"{name.removesuffix('__known_at')}__age_s", pc.divide(age, 1_000_000))
    return answer
