"""Entity rows: whatever frame a caller brings, as keys and instants that can be joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FeatureError
from pipelines.features.offline_store.asof_sql import AT, ROW


@dataclass(frozen=True, slots=True)
class EntityRows:
    """One frame of entity rows, twice."""

    shown: pa.Table
    """The frame as it stands in the answer: its instants in microseconds UTC."""

    joined: pa.Table
    """What the join reads: `__row`, `__at` and the keys."""

    first_at: datetime | None
    """Earliest instant, or None without any."""

    last_at: datetime | None
    """Latest instant, or None without any."""


def entity_rows(frame: pd.DataFrame, timestamp: str, keys: Sequence[str]) -> EntityRows:
    """Return the frame's rows, in order, with instants that can be compared.

    Args:
        frame: Keys and instants, and any other columns; the instants may have time zones, one or many, or
            none (then they are UTC), or be missing.
        timestamp: Name of the column with the instants.
        keys: Names of the columns with keys.

    Raises:
        FeatureError: A key column is missing, or an instant cannot be read.
    """
    missing = sorted(set(keys) - set(frame.columns))
    if missing:
        raise FeatureError(
            f"expected entity columns {sorted(set(keys))}, received {list(frame.columns)}: add {missing}"
        )
    at = _instants(frame[timestamp])
    rest = frame.copy(deep=False)
    del rest[timestamp]
    for name in rest.select_dtypes(exclude="object"):  # Arrow would share the caller's memory
        rest[name] = rest[name].copy()
    shown = pa.Table.from_pandas(rest, preserve_index=False).replace_schema_metadata(None)
    shown = shown.add_column(list(frame.columns).index(timestamp), timestamp, at)
    columns = {ROW: pa.array(np.arange(len(frame))), AT: at}
    for key in dict.fromkeys(keys):
        texts = pa.types.is_string(shown.schema.field(key).type)
        columns[key] = shown[key] if texts else _key(rest[key])
    first_at, last_at = (None if one is None else one.astimezone(UTC) for one in _ends(at))
    return EntityRows(shown=shown, joined=pa.table(columns), first_at=first_at, last_at=last_at)


def _instants(column: pd.Series) -> pa.Array:
    """Instants in microseconds UTC; parts of a microsecond are cut off, for they are not yet over."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc = column.dt.tz_convert("UTC")
    elif column.dtype.kind == "M":
        utc = column.dt.tz_localize("UTC")
    else:
        # Objects of several zones: one by one, or pandas would read naive and aware ones alike.
        texts = column.map(lambda one: isinstance(one, str)).any()
        try:
            utc = pd.to_datetime(column, utc=True, format="mixed" if texts else None)
        except (ValueError, TypeError) as error:
            raise FeatureError(
                f"expected instants of the years 1678 to 2262 in column {column.name}, or texts like "
                f"2024-05-01T12:00:00Z, received what pandas cannot read: {error}"
            ) from error
    if utc.dt.unit == "ns":
        utc = utc.dt.floor("us")
    if utc.dt.unit != "us":
        utc = utc.dt.as_unit("us")
    return pa.array(utc, type=pa.timestamp("us", tz="UTC"), from_pandas=True)


def _ends(at: pa.Array) -> tuple[datetime | None, datetime | None]:
    ends = pc.min_max(at).as_py()
    return ends["min"], ends["max"]


def _key(column: pd.Series) -> pa.Array:
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # pandas turns integers to floats beside a null
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(one) else str(one) for one in column], type=pa.string())
