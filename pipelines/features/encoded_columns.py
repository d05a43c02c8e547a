"""Whole columns as Feast encodes their values, without a Python object for each.

Feast keeps each value as a protocol buffer message, `Value`: the number of the field that is set, then the
value. (Encoding: protobuf.dev, "Encoding": varints, lengths before texts and messages, numbers of one list
packed.) Here the bytes of a column are put together by NumPy and Arrow.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast.types import Array, Bool, FeastType, Float64, Int64, String

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

TEXT_IN_LIST = 0x0A
"""Tag of a text inside a list, and of the packed numbers of one."""

TAGS: dict[FeastType, int] = {
    String: 0x12,
    Int64: 0x20,
    Float64: 0x29,
    Bool: 0x38,
    Array(String): 0x62,
    Array(Int64): 0x72,
    Array(Float64): 0x7A,
}
"""Number and kind of the field of `Value` that holds a value of each type."""


def can_encode(kind: FeastType) -> bool:
    """Whether values of this type are encoded here; others have to be by Feast."""
    return kind in TAGS


def encoded_column(column: pa.ChunkedArray, kind: FeastType) -> pa.BinaryArray:
    """Return the encoded value of each row; null where there is none, and for NaN, as Feast has it.

    Nulls inside a list are the type's empty value, as Feast writes them.

    Args:
        column: Values, at most two gigabytes of them.
        kind: One that `can_encode`.
    """
    whole = column.combine_chunks()
    if pa.types.is_list(whole.type):
        return _lists(whole, kind)
    if kind == Float64:
        known = pc.is_finite(whole).fill_null(False)
        known = pc.or_(known, pc.is_inf(whole).fill_null(False))
        content = fixed(whole.fill_null(0.0).to_numpy(zero_copy_only=False).view(np.uint8), 8)
    elif kind == String:
        known = whole.is_valid()
        content = _with_lengths(whole.cast(pa.binary()).fill_null(b""))
    elif kind == Bool:
        known = whole.is_valid()
        content = fixed(whole.fill_null(False).to_numpy(zero_copy_only=False).view(np.uint8), 1)
    else:
        known = whole.is_valid()
        content = _varints(whole.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64))
    return pc.if_else(known, _after_tag(TAGS[kind], content), pa.scalar(None, pa.binary()))


def joined(*parts: pa.BinaryArray | pa.Scalar) -> pa.BinaryArray:
    """Put the parts of each row together."""
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.binary()))


def lengths(column: pa.BinaryArray) -> npt.NDArray[np.int32]:
    """Bytes of each row; none where it is null."""
    found: npt.NDArray[np.int32] = pc.binary_length(column).fill_null(0).to_numpy()
    return found


def binary(offsets: Offsets, data: Bytes) -> pa.BinaryArray:
    """An array of bytes: row n is `data` from `offsets[n]` to `offsets[n + 1]`."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def fixed(data: Bytes, width: int) -> pa.BinaryArray:
    """An array of bytes whose rows are all of one width."""
    return binary(np.arange(0, len(data) + 1, width), np.ascontiguousarray(data))


def _lists(lists: pa.ListArray, kind: FeastType) -> pa.BinaryArray:
    flat = lists.flatten()
    counts = pc.list_value_length(lists).fill_null(0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    if pa.types.is_string(flat.type):
        # The same texts stand in many lists: each is encoded once.
        texts = flat.cast(pa.binary()).fill_null(b"").dictionary_encode()
        different = _after_tag(TEXT_IN_LIST, _with_lengths(texts.dictionary))
        content = _grouped(different.take(texts.indices), ends)
    else:
        if pa.types.is_floating(flat.type):
            packed = fixed(flat.fill_null(0.0).to_numpy(zero_copy_only=False).view(np.uint8), 8)
        else:
            packed = _varints(flat.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64))
        numbers = _grouped(packed, ends)
        some = pa.array(counts > 0)
        content = pc.if_else(
            some, _after_tag(TEXT_IN_LIST, _with_lengths(numbers)), pa.scalar(b"", pa.binary())
        )
    message = _after_tag(TAGS[kind], _with_lengths(content))
    return pc.if_else(lists.is_valid(), message, pa.scalar(None, pa.binary()))


def _grouped(values: pa.BinaryArray, ends: Offsets) -> pa.BinaryArray:
    """The values of each list together: they lie side by side already."""
    _, offsets, data = values.buffers()
    starts = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)
    return binary(starts[ends].astype(np.int64), np.frombuffer(data or b"", np.uint8))


def _after_tag(tag: int, content: pa.BinaryArray) -> pa.BinaryArray:
    return joined(pa.scalar(bytes([tag]), pa.binary()), content)


def _with_lengths(texts: pa.BinaryArray) -> pa.BinaryArray:
    """Each text behind its length."""
    return joined(_varints(lengths(texts).astype(np.uint64)), texts)


def _varints(numbers: npt.NDArray[np.uint64]) -> pa.BinaryArray:
    """Numbers in groups of seven bits, the lowest first; a set eighth bit says that more follow."""
    width = max(1, -(-int(numbers.max(initial=0)).bit_length() // 7))
    if width <= 4:
        numbers = numbers.astype(np.uint32)
    groups = np.empty((width, len(numbers)), np.uint8)
    there = np.ones((width, len(numbers)), bool)
    sizes = np.ones(len(numbers), np.int32)
    for place in range(width):
        rest = numbers >> numbers.dtype.type(7 * place)
        groups[place] = rest  # its lowest byte
        if place:
            np.not_equal(rest, 0, out=there[place])
            sizes += there[place]
    groups &= 0x7F
    groups[:-1] |= there[1:].view(np.uint8) << np.uint8(7)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    return binary(offsets, groups.T[there.T])
