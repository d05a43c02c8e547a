"""What the online store answers a request of Feast's: values first, Feast's messages when asked for.

Feast puts each value into a message, each message into an answer, and takes all of them out again for
`to_dict`. Most callers want the values only; here they have them as SQLite gave them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feast import FeatureView, utils
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type
from feast.types import Array, Bool, FeastType, Float64, Int64, String
from feast.value_type import ValueType

LISTS: dict[FeastType, str] = {
    Array(String): "string_list_val",
    Array(Int64): "int64_list_val",
    Array(Float64): "double_list_val",
}
"""Fields of Feast's values that hold lists."""

Reader = Callable[[Sequence[Any]], list[Any]]
"""Makes Python's values of those that SQLite keeps."""

StoredRow = tuple[datetime | None, Sequence[Any] | None]
"""Instant from which an entity's values were known, and the values as SQLite keeps them; None, None where
there is no row, and no values where they have expired."""


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """What was found of one feature view."""

    view: FeatureView
    """The view as the request names it."""

    names: Sequence[str]
    """Its features, in the order of the request."""

    rows: Sequence[StoredRow]
    """One for each entity of the request, in its order."""

    readers: Sequence[Reader]
    """Gives the values of each feature as Python has them."""

    as_values: Callable[[Sequence[Any]], dict[str, Value]]
    """Makes Feast's values of a row."""


class OnlineAnswer(OnlineResponse):
    """Feast's response, whose messages are made when they are asked for."""

    def __init__(
        self, keys: GetOnlineFeaturesResponse, views: Sequence[ViewAnswer], *, full_feature_names: bool
    ) -> None:
        """Keep what was found.

        Args:
            keys: Feast's answer, with the entities' keys in it and nothing else yet.
            views: What was found of each view.
            full_feature_names: Whether features are named `<view>__<feature>`.
        """
        self._keys = keys
        self._views = views
        self._full_feature_names = full_feature_names
        self._whole: GetOnlineFeaturesResponse | None = None
        self._feature_types: dict[str, ValueType] = {}

    @property
    def proto(self) -> GetOnlineFeaturesResponse:  # type: ignore[override]  # nobody sets it
        """Feast's message, put together by Feast; a null that has expired says so."""
        if self._whole is None:
            whole = GetOnlineFeaturesResponse()
            whole.CopyFrom(self._keys)
            for one in self._views:
                rows = [(at, None if row is None else one.as_values(row)) for at, row in one.rows]
                utils._populate_response_from_feature_data(
                    list(one.names),
                    rows,
                    [[place] for place in range(len(rows))],
                    whole,
                    self._full_feature_names,
                    one.view,
                    len(rows),
                )
            say_what_expired(whole)
            self._whole = whole
        return self._whole

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, Any]:
        """Return the keys and the values of each feature, in the order of the request."""
        if include_event_timestamps:
            return dict(super().to_dict(include_event_timestamps=True))
        keys = zip(self._keys.metadata.feature_names.val, self._keys.results, strict=True)
        found: dict[str, Any] = {
            name: [feast_value_type_to_python_type(one) for one in result.values] for name, result in keys
        }
        for one in self._views:
            prefix = f"{one.view.projection.name_to_use()}__" if self._full_feature_names else ""
            nothing = (None,) * len(one.names)
            columns = zip(*(nothing if row is None else row for _, row in one.rows), strict=True)
            for name, column, read in zip(one.names, columns, one.readers, strict=True):
                found[f"{prefix}{name}"] = read(column)
        return found


def say_what_expired(response: GetOnlineFeaturesResponse) -> None:
    """A null with an instant has expired; Feast would say that it was not found."""
    for result in response.results:
        for place, stamp in enumerate(result.event_timestamps):
            if result.statuses[place] == FieldStatus.NOT_FOUND and stamp.seconds:
                result.statuses[place] = FieldStatus.OUTSIDE_MAX_AGE


def reader_of(kind: FeastType) -> Reader:
    """How the stored values of a feature of this type become those of Feast's `to_dict`."""
    if kind in (Int64, String):
        return list
    if kind == Bool:
        return lambda column: [None if one is None else bool(one) for one in column]
    if kind == Float64:
        return lambda column: [
            Value.FromString(one).double_val if isinstance(one, bytes) else one for one in column
        ]
    if kind in LISTS:
        field = LISTS[kind]
        return lambda column: [
            None if one is None else list(getattr(Value.FromString(one), field).val) for one in column
        ]
    value_type = kind.to_value_type()
    return lambda column: [
        None if one is None else feast_value_type_to_python_type(Value.FromString(one), value_type)
        for one in column
    ]
