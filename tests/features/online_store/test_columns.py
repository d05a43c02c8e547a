"""Columns in the online store's form are what Feast itself would encode, value by value."""

import math
from typing import Any

import pyarrow as pa
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.types import Array, Bool, FeastType, Float64, Int64, String
from hypothesis import given
from hypothesis import strategies as st

from pipelines.features.online_store.columns import encoded, entity_keys, python_values, sqlite_values
from pipelines.features.registry.declarations import declared_views

WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=5)
REAL = st.floats() | st.just(-0.0)


def sqlite_column(values: pa.ChunkedArray, kind: FeastType) -> list[Any]:
    return python_values(sqlite_values(values, kind))


def column(values: list, kind: pa.DataType) -> pa.ChunkedArray:
    """In two chunks, as tables often come."""
    half = len(values) // 2
    return pa.chunked_array([pa.array(values[:half], kind), pa.array(values[half:], kind)])


@given(
    st.lists(st.none() | st.lists(st.none() | TEXT, max_size=4), max_size=8),
    st.lists(st.none() | st.lists(st.none() | WHOLE, max_size=4), max_size=8),
    st.lists(st.none() | st.lists(st.none() | REAL, max_size=4), max_size=8),
)
def test_lists_are_encoded_as_feast_encodes_them(texts, wholes, reals):
    for values, kind, dtype in (
        (texts, pa.string(), Array(String)),
        (wholes, pa.int64(), Array(Int64)),
        (reals, pa.float64(), Array(Float64)),
    ):
        theirs = python_values_to_proto_values(values, dtype.to_value_type())
        ours = encoded(column(values, pa.list_(kind)), dtype)
        assert [one or b"" for one in ours] == [one.SerializeToString() for one in theirs]
        assert [one is None for one in ours] == [one is None for one in values]


@given(
    st.lists(st.none() | TEXT | st.text(min_size=130, max_size=140), max_size=8),
    st.lists(st.none() | WHOLE, max_size=10),
    st.lists(st.none() | REAL, max_size=10),
    st.lists(st.none() | st.booleans(), max_size=10),
)
def test_single_values_are_encoded_as_feast_encodes_them(texts, wholes, reals, truths):
    for values, kind, dtype in (
        (texts, pa.string(), String),
        (wholes, pa.int64(), Int64),
        (reals, pa.float64(), Float64),
        (truths, pa.bool_(), Bool),
    ):
        theirs = python_values_to_proto_values(values, dtype.to_value_type())
        ours = encoded(column(values, kind), dtype)
        assert [one or b"" for one in ours] == [one.SerializeToString() for one in theirs]


def test_long_lists_have_long_lengths():
    """Beyond 127 bytes, and 16,383, a length takes one byte more."""
    for count in (12, 13, 127, 128, 1_600, 20_000):
        for values, kind, dtype in (
            (["ten letters"] * count, pa.string(), Array(String)),
            ([-1] * count, pa.int64(), Array(Int64)),
            ([0.5] * count, pa.float64(), Array(Float64)),
        ):
            (theirs,) = python_values_to_proto_values([values], dtype.to_value_type())
            assert encoded(column([values], pa.list_(kind)), dtype) == [theirs.SerializeToString()]


@given(st.lists(st.none() | REAL, max_size=10))
def test_a_zero_that_sqlite_would_change_is_kept_encoded_and_nan_is_null_as_in_feast(values):
    for kept, value in zip(sqlite_column(column(values, pa.float64()), Float64), values, strict=True):
        if isinstance(kept, bytes):
            assert (value, math.copysign(1, value)) == (0, -1)
            assert math.copysign(1, Value.FromString(kept).double_val) == -1
        elif value is None or math.isnan(value):
            assert kept is None
            assert python_values_to_proto_values([value], Float64.to_value_type()) == [Value()]
        else:
            assert (kept, math.copysign(1, kept)) == (value, math.copysign(1, value))


@given(st.lists(st.none() | WHOLE, max_size=10), st.lists(st.none() | st.booleans(), max_size=10))
def test_whole_numbers_and_truths_keep_every_bit(wholes, truths):
    assert sqlite_column(column(wholes, pa.int64()), Int64) == wholes
    assert sqlite_column(column(truths, pa.bool_()), Bool) == truths


@given(st.lists(TEXT, max_size=8))
def test_keys_are_those_of_feast(ids):
    view = declared_views()["user_activity"]
    ours = entity_keys(view, pa.table({"user_id": column(ids, pa.string())}), 3)
    theirs = [
        serialize_entity_key(EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=one)]), 3)
        for one in ids
    ]
    assert ours.tolist() == theirs
