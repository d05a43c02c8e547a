"""Whole columns as Feast encodes their values, without a Python object for each.

Feast keeps each value as a protocol buffer message, `Value`: the number of the field that is set, then the
value. (Encoding: protobuf.dev, "Encoding": varints, lengths before texts and messages, numbers of one list
packed.) Here the bytes of a column are put together by NumPy and Arrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class EncodedParts:
    """Encoded values, not yet put together: the same head stands before all contents of one size."""

    sizes: npt.NDArray[np.int64]
    """Bytes of each content; -1 where there is no value."""

    contents: pa.BinaryArray
    """What stands behind the heads; empty where there is no value."""

    head: Callable[[int], bytes]
    """What stands before contents of this many bytes."""


def encoded_column(column: pa.ChunkedArray, kind: FeastType) -> pa.BinaryArray:
    """Return the encoded value of each row; null where there is none, and for NaN, as Feast has it.

    Nulls inside a list are the type's empty value, as Feast writes them.

    Args:
        column: Values, at most two gigabytes of them.
        kind: One that `can_encode`.
    """
    parts = encoded_parts(column, kind)
    heads = for_each(parts.sizes, lambda size: b"" if size < 0 else parts.head(size))
    values = joined(heads, parts.contents)
    return pc.if_else(pa.array(parts.sizes >= 0), values, pa.scalar(None, pa.binary()))


def encoded_parts(column: pa.ChunkedArray, kind: FeastType) -> EncodedParts:
    """Return the same in parts, for who puts more together with them: each byte is copied once."""
    whole = column.combine_chunks()
    tag = bytes([TAGS[kind]])
    known = whole.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_list(whole.type):
        contents, head = _lists(whole), _head_of_lists(tag, packed=kind != Array(String))
        return EncodedParts(np.where(known, lengths(contents), -1), contents, head)
    if kind == String:
        contents = whole.cast(pa.binary()).fill_null(b"")
        return EncodedParts(
            np.where(known, lengths(contents), -1), contents, lambda size: tag + _varint(size)
        )
    if kind == Float64:
        numbers = whole.fill_null(0.0).to_numpy(zero_copy_only=False)
        known &= ~np.isnan(numbers)
        contents = _known_fixed(numbers, known)
    elif kind == Bool:
        contents = _known_fixed(whole.fill_null(False).to_numpy(zero_copy_only=False), known)
    else:
        contents = _varints(whole.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64), known)
    return EncodedParts(np.where(known, lengths(contents), -1), contents, lambda _: tag)


def for_each(numbers: npt.NDArray[Any], write: Callable[[int], bytes]) -> pa.BinaryArray:
    """What is written for each number; each different one is written once."""
    codes = pa.array(numbers).dictionary_encode()
    return pa.array([write(one) for one in codes.dictionary.to_pylist()], pa.binary()).take(codes.indices)


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


def _lists(lists: pa.ListArray) -> pa.BinaryArray:
    """The values of each list, encoded, side by side; numbers are packed."""
    flat = lists.flatten()
    counts = pc.list_value_length(lists).fill_null(0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    if pa.types.is_string(flat.type):
        return _grouped(_texts_in_lists(flat.cast(pa.binary()).fill_null(b"")), ends)
    if pa.types.is_floating(flat.type):
        packed = fixed(flat.fill_null(0.0).to_numpy(zero_copy_only=False).view(np.uint8), 8)
    else:
        packed = _varints(flat.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64))
    return _grouped(packed, ends)


def _head_of_lists(tag: bytes, *, packed: bool) -> Callable[[int], bytes]:
    def head(size: int) -> bytes:
        inner = bytes([TEXT_IN_LIST]) + _varint(size) if packed and size else b""
        return tag + _varint(len(inner) + size) + inner

    return head


def _known_fixed(numbers: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> pa.BinaryArray:
    """The bytes of numbers that are known; nothing for others."""
    offsets = np.concatenate([[0], np.cumsum(known, dtype=np.int64)]) * numbers.itemsize
    return binary(offsets, numbers[known].view(np.uint8))


def _grouped(values: pa.BinaryArray, ends: Offsets) -> pa.BinaryArray:
    """The values of each list together: they lie side by side already."""
    _, offsets, data = values.buffers()
    starts = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)
    return binary(starts[ends].astype(np.int64), np.frombuffer(data or b"", np.uint8))


def _texts_in_lists(texts: pa.BinaryArray) -> pa.BinaryArray:
    """Each text behind its tag and its length."""
    sizes = lengths(texts)
    if sizes.max(initial=0) > 0x7F:
        return joined(pa.scalar(bytes([TEXT_IN_LIST]), pa.binary()), _varints(sizes.astype(np.uint64)), texts)
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)
    contents = np.frombuffer(data or b"", np.uint8)[starts[0] : starts[-1]]
    heads = starts - starts[0] + 2 * np.arange(len(starts), dtype=np.int64)
    written = np.empty(heads[-1], np.uint8)
    is_content = np.ones(heads[-1], bool)
    for place, value in enumerate((TEXT_IN_LIST, sizes)):
        written[heads[:-1] + place] = value
        is_content[heads[:-1] + place] = False
    written[is_content] = contents
    return binary(heads, written)


def _varint(number: int) -> bytes:
    """One number as `_varints` has it."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _varints(numbers: npt.NDArray[np.uint64], known: npt.NDArray[np.bool_] | None = None) -> pa.BinaryArray:
    """Numbers in groups of seven bits, the lowest first; a set eighth bit says that more follow.

    Nothing is written for a number that is not `known`; it has to be zero.
    """
    width = max(1, -(-int(numbers.max(initial=0)).bit_length() // 7))
    if width <= 4:
        numbers = numbers.astype(np.uint32)
    groups = np.empty((width, len(numbers)), np.uint8)
    there = np.ones((width, len(numbers)), bool)
    if known is not None:
        there[0] = known
    sizes = there[0].astype(np.int32)
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
