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
from feast.protos.feast.types.Value_pb2 import DoubleList, Int64List, StringList, Value
from feast.protos.feast.types.Value_pb2 import ValueType as KeyType
from feast.type_map import python_values_to_proto_values
from feast.types import Array, Bool, FeastType, Float64, Int64, String
from feast.value_type import ValueType

Objects = npt.NDArray[np.object_]

LISTS: dict[FeastType, tuple[str, type[Any]]] = {
    Array(String): ("string_list_val", StringList),
    Array(Int64): ("int64_list_val", Int64List),
    Array(Float64): ("double_list_val", DoubleList),
}
"""How Feast's values of lists are put together."""


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
        missing |= np.isnan(numbers)  # as Feast has it
        special = (numbers == 0) & np.signbit(numbers)
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
    """Values as Feast encodes them; null is empty, and None among lists."""
    if pa.types.is_list(column.type) and kind in LISTS:
        return _encoded_lists(column.combine_chunks(), *LISTS[kind])
    protos = python_values_to_proto_values(column.to_pylist(), kind.to_value_type())
    return [proto.SerializeToString() for proto in protos]


def _encoded_lists(lists: pa.ListArray, field: str, list_of: type[Any]) -> list[bytes | None]:
    """Lists as Feast encodes them, without a Python object for each list on the way.

    Feast writes nulls inside a list as the type's empty value, and so does this.
    """
    flat = lists.flatten()
    empty = "" if pa.types.is_string(flat.type) else 0
    values = pc.fill_null(flat, pa.scalar(empty, flat.type)).to_numpy(zero_copy_only=False).tolist()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    ends = np.cumsum(lengths).tolist()
    starts = [0, *ends][:-1]
    missing = pc.is_null(lists).to_pylist()
    return [
        None if gone else Value(**{field: list_of(val=values[start:end])}).SerializeToString()
        for start, end, gone in zip(starts, ends, missing, strict=True)
    ]


def _objects(values: list[Any]) -> Objects:
    """A one-dimensional array of Python objects, also where they are lists or bytes."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
