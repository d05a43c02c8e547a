"""Columns of feature rows in the form in which the online store keeps them."""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.type_map import python_values_to_proto_values
from feast.types import Bool, FeastType, Float64, Int64, String
from feast.value_type import ValueType

Objects = npt.NDArray[np.object_]


def entity_keys(view: FeatureView, rows: pa.Table, version: int) -> Objects:
    """The key of every row as Feast encodes it, bytes.

    One key that is a string, as all of ours are, is put together here; others by Feast, one by one.
    """
    names = [column.name for column in view.entity_columns]
    kinds = [column.dtype.to_value_type() for column in view.entity_columns]
    if kinds == [ValueType.STRING] and version >= 3:
        start = serialize_entity_key_prefix(names, version) + struct.pack("<I", KeyType.STRING)
        length = struct.Struct("<I").pack
        texts = pc.cast(rows[names[0]], pa.large_binary()).to_pylist()
        return _objects([start + length(len(one)) + one for one in texts])
    values = [
        python_values_to_proto_values(rows[name].to_pylist(), kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    return _objects(
        [
            serialize_entity_key(EntityKey(join_keys=names, entity_values=one), version)
            for one in zip(*values, strict=True)
        ]
    )


def sqlite_column(column: pa.ChunkedArray, kind: FeastType) -> list[Any]:
    """Values as `serving.online_rows` keeps them: numbers and texts as they are, all else encoded."""
    if kind not in (Int64, Float64, String, Bool):
        return encoded(column, kind)
    if kind == String:
        return list(column.to_pylist())
    missing = pc.is_null(column).to_numpy().astype(bool)
    if kind == Float64:
        numbers = column.to_numpy().astype(np.float64)
        special = (np.isnan(numbers) & ~missing) | ((numbers == 0) & np.signbit(numbers) & ~missing)
    else:
        filled = pc.fill_null(column, False if kind == Bool else 0)
        numbers = filled.to_numpy().astype(np.int64)
        special = np.zeros(len(numbers), bool)
    values = numbers.astype(object)
    values[missing] = None
    if special.any():
        values[special] = encoded(column.filter(pa.array(special)), kind)
    return list(values.tolist())


def encoded(column: pa.ChunkedArray, kind: FeastType) -> list[Any]:
    """Values as Feast encodes them, each different scalar once; null is an empty value."""
    value_type = kind.to_value_type()

    def encode(values: list[Any]) -> list[bytes]:
        return [proto.SerializeToString() for proto in python_values_to_proto_values(values, value_type)]

    if pa.types.is_list(column.type):
        return [None if one == b"" else one for one in encode(column.to_pylist())]
    return encode(column.to_pylist())


def _objects(values: list[Any]) -> Objects:
    """A one-dimensional array of Python objects, also where they are lists or bytes."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
