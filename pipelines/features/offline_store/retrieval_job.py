"""A point-in-time join or a window of rows that Feast runs when its answer is asked for."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from pipelines.errors import FeatureError


class AsofRetrievalJob(RetrievalJob):
    """A query that runs when its answer is asked for."""

    def __init__(
        self,
        run: Callable[[], pa.Table],
        sql: str,
        known_at: Callable[[], pa.Table] | None = None,
        *,
        full_feature_names: bool = False,
        on_demand_feature_views: list[OnDemandFeatureView] | None = None,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._run = run
        self._sql = sql
        self._known_at = known_at
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = on_demand_feature_views or []
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named `<view>__<feature>`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the answer."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def known_at(self) -> pa.Table:
        """Since when the values of each view were known: `<view>__known_at`, null where nothing was.

        Values that have outlived their time to live are null in the answer; their instant is here.
        """
        if self._known_at is None:
            raise FeatureError(
                "expected a point-in-time join, received a window of rows: they say it themselves"
            )
        return self._known_at()

    def to_sql(self) -> str:
        """The query, for people; `entities` stands for the entity rows."""
        return self._sql

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._run()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._run().to_pandas()
        return frame

    def persist(
        self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None
    ) -> None:
        """Write the answer to one Parquet file."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise FeatureError(
                f"expected a SavedDatasetFileStorage, received {type(storage).__name__}: save to a file"
            )
        path = Path(storage.file_options.uri)
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.to_arrow(), path)
