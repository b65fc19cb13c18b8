"""TensorProto to numpy and back.

In TensorFlow: core/framework/tensor.cc, Tensor::FromProto, AsProtoField."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2

from serving.dtypes import DTYPES, STRING, DType, of_array

TensorProto = tensor_pb2.TensorProto
LARGEST_BYTES = 2**28  # of one tensor that is filled up from few values: so few bytes may not take more memory
PACKED_TAGS = {
    "float_val": b"\x2a",
    "double_val": b"\x32",
}  # field number and wire type 2: the array's own bytes follow


def decode(proto: Any) -> np.ndarray:
    """The array in a TensorProto; strings are bytes objects. The array may share the message's memory: do not write.

    `tensor_content` counts where it is not empty. Of the `*_val` fields the last value is repeated where there are
    fewer than elements, none means zeros, and those beyond are ignored. Raises ValueError when it does not decode."""
    dtype = DTYPES.get(proto.dtype)
    if dtype is None:
        raise ValueError(f"no tensors of dtype {proto.dtype} on the wire")
    shape = _shape(proto.tensor_shape)
    content = proto.tensor_content
    if not content:
        return _from_values(getattr(proto, dtype.field), dtype, shape)
    if dtype.number == STRING:
        return _from_string_content(content, shape)
    return np.frombuffer(content, dtype.numpy).reshape(shape)


def _shape(proto: Any) -> tuple[int, ...]:
    shape = tuple([dim.size for dim in proto.dim])
    if proto.unknown_rank or (shape and min(shape) < 0) or len(shape) > 254:
        raise ValueError(f"no shape of a tensor: {shape}")
    return shape


def _from_values(values: Any, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
    if dtype.field in ("scomplex_val", "dcomplex_val"):
        given = np.array(values, dtype.wire)
        given = given[: len(given) // 2 * 2].view(dtype.numpy)
    elif dtype.field == "half_val":
        given = np.array(values, dtype.wire).view(dtype.numpy)
    elif dtype.wire == dtype.numpy:
        given = np.array(values, dtype.numpy)
    else:
        given = np.array(values, dtype.wire).astype(dtype.numpy)
    if len(given) == count:
        return given.reshape(shape)
    if len(given) > count:
        return given[:count].reshape(shape)
    if count * dtype.numpy.itemsize > LARGEST_BYTES:
        raise ValueError(f"{len(given)} values for {count} elements")
    if not len(given):
        return np.full(shape, b"", object) if dtype.number == STRING else np.zeros(shape, dtype.numpy)
    filled = np.full(count, given[-1], dtype.numpy)
    filled[: len(given)] = given
    return filled.reshape(shape)


def _from_string_content(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """All lengths as varints, then all bytes."""
    count = math.prod(shape)
    if count > len(content):
        raise ValueError(f"{len(content)} bytes for {count} strings")
    lengths, at = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            byte = content[at] if at < len(content) else -1
            if byte < 0 or shift > 63:
                raise ValueError("the lengths of the strings do not end")
            at, length, shift = at + 1, length | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise ValueError("the lengths of the strings do not add up")
    strings = np.empty(count, object)
    for index, length in enumerate(lengths):
        strings[index] = content[at : at + length]
        at += length
    return strings.reshape(shape)


def encode(array: np.ndarray, as_content: bool = False) -> Any:
    """The TensorProto of an array: typed `*_val` fields, one entry for each element.

    as_content: `tensor_content` in their place, except for strings, which no client could read there."""
    proto = TensorProto()
    fill(proto, array, as_content)
    return proto


def fill(proto: Any, array: np.ndarray, as_content: bool = False) -> None:
    """As encode(), into an empty TensorProto."""
    dtype = of_array(array)
    head = _head(dtype.number, array.shape)
    if as_content and dtype.number != STRING:
        proto.MergeFromString(head)
        proto.tensor_content = array.tobytes()
        return
    if dtype.field in PACKED_TAGS:
        content = array.tobytes()
        packed = (PACKED_TAGS[dtype.field], _varint(len(content)), content) if content else ()
        proto.MergeFromString(b"".join((head, *packed)))
        return
    proto.MergeFromString(head)
    if dtype.field in ("scomplex_val", "dcomplex_val", "half_val"):
        getattr(proto, dtype.field).extend(np.ascontiguousarray(array).reshape(-1).view(dtype.wire).tolist())
    else:
        flat = array.reshape(-1)
        getattr(proto, dtype.field).extend((flat if dtype.wire == dtype.numpy else flat.astype(dtype.wire)).tolist())


@lru_cache(maxsize=1024)
def _head(dtype: int, shape: tuple[int, ...]) -> bytes:
    """dtype and shape as they stand on the wire. A server's answers have few shapes, and fields cost a call each."""
    head = TensorProto(dtype=dtype)
    head.tensor_shape.SetInParent()
    for size in shape:
        head.tensor_shape.dim.add(size=size)
    content: bytes = head.SerializeToString()
    return content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
