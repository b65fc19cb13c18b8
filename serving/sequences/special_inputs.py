"""The inputs by which a call says which sequence it belongs to: id, control, index of the step."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from tensorflow.core.framework.types_pb2 import DT_INT64, DT_UINT32, DT_UINT64

from serving import tensor_proto
from serving.dtypes import BYTES, DTYPES, STRING
from serving.sequences import errors

ID, CONTROL, STEP = "sequence_id", "sequence_control_input", "sequence_step"
SPECIAL = (ID, CONTROL, STEP)
GO_ON, START, END = 0, 1, 2
LONGEST_ID = 128  # bytes of UTF-8


class SpecialInputs(NamedTuple):
    """What the special inputs say. id: a number, a text, or None for absent; step: None for absent."""

    id: int | str | None
    control: int
    step: int | None


def has_special(inputs: Mapping[str, Any]) -> bool:
    """Whether a request has one of them."""
    return ID in inputs or CONTROL in inputs or STEP in inputs


def read(inputs: Mapping[str, Any]) -> SpecialInputs:
    """The special inputs of a request over gRPC: alias -> TensorProto. Raises INVALID_ARGUMENT."""
    return _ordinary(inputs) or from_arrays({alias: _array(inputs[alias]) for alias in SPECIAL if alias in inputs})


def _ordinary(inputs: Mapping[str, Any]) -> SpecialInputs | None:
    """The same without arrays, in a quarter of the time, for what clients send; None where arrays are to be looked at,
    for an error too."""
    found: int | str | None = None
    control, step = GO_ON, None
    if ID in inputs:
        proto = inputs[ID]
        value = _only(proto, STRING) if proto.dtype == STRING else _only(proto, DT_UINT64)
        if not value:
            return None
        try:
            found = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            return None
        if isinstance(value, bytes) and len(value) > LONGEST_ID:
            return None
    if CONTROL in inputs:
        control = _only(inputs[CONTROL], DT_UINT32)
        if control not in (GO_ON, START, END):
            return None
    if STEP in inputs:
        step = _only(inputs[STEP], DT_INT64)
        if step is None or step < 0:
            return None
    return SpecialInputs(found, control, step)


def _only(proto: Any, dtype: int) -> Any:
    """The value of a tensor [1] that has exactly one; None for another tensor."""
    shape = proto.tensor_shape
    if proto.dtype != dtype or len(shape.dim) != 1 or shape.dim[0].size != 1 or shape.unknown_rank:
        return None
    content = proto.tensor_content
    if not content:
        values = getattr(proto, DTYPES[dtype].field)
        return values[0] if len(values) == 1 else None
    if dtype == STRING or len(content) != DTYPES[dtype].numpy.itemsize:
        return None
    return int.from_bytes(content, "little", signed=dtype == DT_INT64)


def from_arrays(arrays: Mapping[str, np.ndarray | None]) -> SpecialInputs:
    """The same from arrays; None stands for a value that has none of the dtypes. Raises INVALID_ARGUMENT."""
    found = None
    if ID in arrays:
        found = _id(arrays[ID])
    control = 0
    if CONTROL in arrays:
        control = int(_number(arrays[CONTROL], np.uint32, "sequence control input", "uint32_val"))
        if control not in (GO_ON, START, END):
            raise errors.bad_control()
    step = None
    if STEP in arrays:
        step = int(_number(arrays[STEP], np.int64, "sequence step", "int64_val"))
        if step < 0:
            raise errors.no_value("sequence step", "int64_val")
    return SpecialInputs(found, control, step)


def id_array(sequence: int | str) -> np.ndarray:
    """The id as an output, [1], with the type that it has."""
    if isinstance(sequence, int):
        return np.array([sequence], np.uint64)
    array = np.empty(1, BYTES)
    array[0] = sequence.encode()
    return array


def _array(proto: Any) -> np.ndarray | None:
    """The tensor; None when it holds no value at all."""
    try:
        array = tensor_proto.decode(proto)
    except ValueError:
        dtype = DTYPES.get(proto.dtype)
        one = [dim.size for dim in proto.tensor_shape.dim] == [1]
        return None if dtype is None or one else np.empty(0, dtype.numpy)
    if array.size and not proto.tensor_content and not _has_value(proto):
        return None  # it would decode as zero
    return array


def _has_value(proto: Any) -> bool:
    return any(field.name.endswith("_val") for field, _ in proto.ListFields())


def _id(array: np.ndarray | None) -> int | str | None:
    number = array is not None and array.dtype == np.uint64
    if array is None or not (number or array.dtype == BYTES):
        raise errors.no_value("sequence id", "uint64_val")
    _check_shape(array)
    if number:
        return int(array[0]) or None
    try:
        text = bytes(array[0]).decode()
    except UnicodeDecodeError:
        raise errors.no_value("sequence id", "uint64_val") from None
    if len(array[0]) > LONGEST_ID:
        raise errors.no_value("sequence id", "uint64_val")
    return text or None


def _number(array: np.ndarray | None, dtype: type, what: str, field: str) -> Any:
    if array is None or array.dtype != dtype:
        raise errors.no_value(what, field)
    _check_shape(array)
    return array[0]


def _check_shape(array: np.ndarray) -> None:
    if array.shape != (1,):
        raise errors.no_shape()
