"""Columns of feature rows in the form in which the online stores keep them."""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from feast import FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.type_map import python_values_to_proto_values
from feast.types import Bool, FeastType, Float64, Int64, String
from feast.value_type import ValueType

from pipelines.features.online_store.protobuf_columns import (
    can_encode,
    encoded_column,
    fixed,
    joined,
    lengths,
)

NEGATIVE_ZERO = Value(double_val=-0.0).SerializeToString()
"""What SQLite would turn into 0.0."""

NATIVE = (Int64, Float64, String, Bool)
"""Types whose values SQLite holds itself."""


def entity_keys(view: FeatureView, rows: pa.Table, version: int) -> pa.BinaryArray:
    """The key of every row as Feast encodes it.

    One key that is a string, as all of ours are, is put together here; others by Feast, one by one.
    """
    names = [column.name for column in view.entity_columns]
    kinds = [column.dtype.to_value_type() for column in view.entity_columns]
    if kinds == [ValueType.STRING] and version >= 3:
        start = serialize_entity_key_prefix(names, version) + struct.pack("<I", KeyType.STRING)
        texts = rows[names[0]].combine_chunks().cast(pa.binary())
        sizes = fixed(lengths(texts).astype("<u4").view(np.uint8), 4)
        return joined(pa.scalar(start, pa.binary()), sizes, texts)
    values = [
        python_values_to_proto_values(rows[name].to_pylist(), kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    keys = [
        serialize_entity_key(EntityKey(join_keys=names, entity_values=one), version)
        for one in zip(*values, strict=True)
    ]
    return pa.array(keys, pa.binary())


def sqlite_values(column: pa.ChunkedArray, kind: FeastType) -> pa.Array:
    """Values as the SQLite online store keeps them: numbers and texts as they are, all else encoded."""
    return column.combine_chunks() if kind in NATIVE else encoded_values(column, kind)


def python_values(values: pa.Array) -> list[Any]:
    """The same values as SQLite takes them from Python; what it would change is encoded."""
    if not pa.types.is_primitive(values.type):
        return objects(values)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False).astype(np.float64)
        missing = missing | np.isnan(numbers)  # as Feast has it
        changed = (numbers == 0) & np.signbit(numbers)
    else:
        filled = values.fill_null(False if pa.types.is_boolean(values.type) else 0)
        numbers = filled.to_numpy(zero_copy_only=False).astype(np.int64)
        changed = np.zeros(len(numbers), bool)
    if not missing.any() and not changed.any():
        return list(numbers.tolist())
    found = numbers.astype(object)
    found[missing] = None
    found[changed] = NEGATIVE_ZERO
    return list(found.tolist())


def encoded(column: pa.ChunkedArray, kind: FeastType) -> list[Any]:
    """Values as Feast encodes them; None where there is none."""
    return objects(encoded_values(column, kind))


def encoded_values(column: pa.ChunkedArray, kind: FeastType) -> pa.BinaryArray:
    """Values as Feast encodes them; null where there is none."""
    if can_encode(kind):
        return encoded_column(column, kind)
    protos = python_values_to_proto_values(column.to_pylist(), kind.to_value_type())
    return pa.array([proto.SerializeToString() or None for proto in protos], pa.binary())


def objects(column: pa.Array) -> list[Any]:
    """Texts or bytes as Python has them."""
    values: npt.NDArray[np.object_] = column.to_numpy(zero_copy_only=False)
    return list(values.tolist())
