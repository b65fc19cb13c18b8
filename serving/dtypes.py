"""TensorFlow's dtypes as both codecs need them: numpy's dtype, the TensorProto field, the name in messages.

In TensorFlow: core/framework/tensor.cc, core/framework/types.cc."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.errors import UnimplementedError

STRING = types_pb2.DT_STRING
BYTES = np.dtype(object)  # numpy's dtype of strings: an array of bytes objects


@dataclass(frozen=True)
class DType:
    """One dtype that a tensor can have on the wire."""

    number: int  # of the DataType enum
    name: str  # in messages: float, double, int32, string ...
    numpy: np.dtype[Any]
    field: str  # of TensorProto, one entry for each element
    wire: np.dtype[Any]  # how an element stands in that field

    @property
    def enum(self) -> str:
        """The enum's name: DT_FLOAT."""
        return str(types_pb2.DataType.Name(self.number))


FIELDS = {
    "float_val": (np.float32, ("DT_FLOAT",)),
    "double_val": (np.float64, ("DT_DOUBLE",)),
    "int_val": (
        np.int32,
        (
            *("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8", "DT_UINT16"),
            *("DT_QINT8", "DT_QUINT8", "DT_QINT16", "DT_QUINT16", "DT_QINT32"),
        ),
    ),
    "int64_val": (np.int64, ("DT_INT64",)),
    "uint32_val": (np.uint32, ("DT_UINT32",)),
    "uint64_val": (np.uint64, ("DT_UINT64",)),
    "bool_val": (np.bool_, ("DT_BOOL",)),
    "half_val": (np.uint16, ("DT_HALF", "DT_BFLOAT16")),  # the bits
    "scomplex_val": (np.float32, ("DT_COMPLEX64",)),  # real and imaginary part in turn
    "dcomplex_val": (np.float64, ("DT_COMPLEX128",)),
    "string_val": (np.object_, ("DT_STRING",)),
}


def _dtype(enum: str, field: str, wire: type) -> DType:
    number = types_pb2.DataType.Value(enum)
    dtype = tf.dtypes.as_dtype(number)
    array = BYTES if number == STRING else np.dtype(dtype.as_numpy_dtype)
    return DType(number, enum.removeprefix("DT_").lower(), array, field, np.dtype(wire))


DTYPES = {
    dtype.number: dtype
    for field, (wire, enums) in FIELDS.items()
    for dtype in (_dtype(enum, field, wire) for enum in enums)
}
BY_NUMPY = {dtype.numpy: dtype for dtype in reversed(DTYPES.values())}


def name_of(number: int) -> str:
    """The dtype's name in messages, for any number."""
    try:
        return str(types_pb2.DataType.Name(number)).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown dtype enum ({number})"


def of_array(array: np.ndarray) -> DType:
    """The dtype of a numpy array that a run gave or takes; raises UNIMPLEMENTED for one without a form on the wire."""
    found = BY_NUMPY.get(array.dtype)
    if found is None:
        raise UnimplementedError(f"Tensors of dtype {array.dtype} have no form on the wire")
    return found
