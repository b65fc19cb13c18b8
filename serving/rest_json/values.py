"""JSON values to the array of one input.

In TensorFlow Serving: util/json_tensor.cc, FillTensorProto, AddValueToTensor."""

import binascii
import math
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from serving.dtypes import BYTES, DTYPES, STRING
from serving.errors import InvalidArgumentError, ServingError, UnimplementedError
from serving.rest_json.printing import text_of, type_name
from serving.rest_json.reader import member_count
from serving.signature import Slot

INT32 = (-(1 << 31), (1 << 31) - 1)
RANGES = {  # of whole numbers; the 8 and 16 bit types are cast, not checked
    "int32": INT32,
    "int16": INT32,
    "int8": INT32,
    "uint8": INT32,
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
FLOATS = ("float", "double")
MOST_PACKED = 1 << 14  # numbers
MOST_DIMENSIONS = 64  # of a numpy array
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def is_base64(value: Any) -> bool:
    """Whether it is an object with the one member `b64`, a string: a value, not an object."""
    return isinstance(value, dict) and isinstance(value.get("b64"), str) and member_count(value) == 1


def plain_array(value: Any, slot: Slot) -> np.ndarray | None:
    """The array of a list of nothing but numbers that fit; None leaves it to `Filler`, which says what is wrong.

    The text that the value comes from must not hold `true` or `false`: among numbers they are taken for 1 and 0."""
    name = slot.dtype_name
    if name in FLOATS:
        found = _packed(value)
        if found is not None:
            return cast_floats(found, name)
    elif name not in RANGES:
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None  # lists of different lengths
    if name in FLOATS and (array.dtype.kind in "fiu"):
        return cast_floats(array, name)
    if name in RANGES and (array.dtype.kind in "iu" or (not array.size and array.dtype.kind == "f")):
        low, high = RANGES[name]
        if not array.size or (low <= int(array.min()) and int(array.max()) <= high):
            return array.astype(DTYPES[slot.dtype].numpy)
    return None


def _packed(value: Any) -> np.ndarray | None:
    """The numbers of a list as doubles, in a third of the time that numpy takes to look at each; None where it is not
    that simple: lists of different lengths, none at all, very many, or anything but numbers."""
    shape, level = [], value
    try:
        while True:
            shape.append(len(level))
            if type(level[0]) is not list:
                break
            if len(set(map(len, level))) != 1:
                return None
            level = [item for inner in level for item in inner]
        return np.frombuffer(_doubles(len(level)).pack(*level)).reshape(shape) if len(level) <= MOST_PACKED else None
    except (TypeError, ValueError, IndexError, KeyError, struct.error, OverflowError):
        return None


@lru_cache(maxsize=64)
def _doubles(count: int) -> struct.Struct:
    return struct.Struct(f"{count}d")


def cast_floats(array: np.ndarray, name: str) -> np.ndarray:
    """As C casts: through double; what is out of float's range becomes infinite."""
    array = array.astype(np.float64, copy=False)
    if name != "float":
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape, following the first elements downwards."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


class Filler:
    """Collects the values of one input, element by element, and checks each."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._flat: list[Any] = []
        self._convert = _converter(slot)

    def add(self, value: Any, shape: tuple[int, ...]) -> int:
        """Adds what stands in the value, which must have this shape; returns how many elements that were.

        Raises INVALID_ARGUMENT or UNIMPLEMENTED. Works at any depth."""
        before = len(self._flat)
        stack = [iter((value,))]
        while stack:
            level = len(stack) - 1
            for item in stack[-1]:
                if isinstance(item, list):
                    _check_list(item, level, shape)
                    stack.append(iter(item))
                    break
                if level != len(shape):
                    raise InvalidArgumentError(
                        f"JSON Value: {text_of(item)} found at incorrect level: {level + 1} in the JSON DOM. Expected "
                        f"at level: {len(shape)}"
                    )
                self._flat.append(self._convert(item))
            else:
                stack.pop()
        return len(self._flat) - before

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """All that was added, as an array of this shape."""
        dtype = DTYPES.get(self._slot.dtype)
        if dtype is None or len(shape) > MOST_DIMENSIONS or math.prod(shape) != len(self._flat):
            raise InvalidArgumentError(f"tensor parsing error: {self._slot.alias}")
        if dtype.number == STRING:
            array = np.empty(len(self._flat), BYTES)
            array[:] = self._flat
        elif dtype.name in FLOATS:
            array = cast_floats(np.array(self._flat, np.float64), dtype.name)
        else:
            array = np.array(self._flat, np.uint64 if dtype.name == "uint64" else None).astype(dtype.numpy)
        return array.reshape(shape)


def _check_list(value: list[Any], level: int, shape: tuple[int, ...]) -> None:
    if level >= len(shape):
        raise InvalidArgumentError(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise InvalidArgumentError(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )


def _converter(slot: Slot) -> Callable[[Any], Any]:
    """What makes one element of a JSON value, or raises the error for one that does not fit."""
    name = slot.dtype_name

    def wrong(value: Any) -> ServingError:
        return InvalidArgumentError(
            f"JSON Value: {text_of(value)} Type: {type_name(value)} is not of expected type: {name}"
        )

    def number(value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        raise wrong(value)

    def whole(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and RANGES[name][0] <= value <= RANGES[name][1]:
            return value
        raise wrong(value)

    def boolean(value: Any) -> Any:
        if isinstance(value, bool):
            return value
        raise wrong(value)

    def string(value: Any) -> bytes:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return decode_base64(value)
        raise wrong(value)

    def unknown(value: Any) -> Any:
        if isinstance(value, dict):
            raise wrong(value)
        raise UnimplementedError(f"Conversion of JSON Value: {text_of(value)} to type: {name}")

    kinds: dict[str, Callable[[Any], Any]] = {"bool": boolean, "string": string}
    kinds.update(dict.fromkeys(FLOATS, number), **dict.fromkeys(RANGES, whole))
    return kinds.get(name, unknown)


def decode_base64(value: dict[str, Any]) -> bytes:
    """The bytes of `{"b64": "<text>"}`: the standard alphabet; padding may be absent, white space is skipped."""
    if not is_base64(value):
        raise InvalidArgumentError(f"JSON Value: {text_of(value)} not formatted correctly for base64 data")
    text = re.sub(r"[ \t\n\v\f\r]", "", value["b64"])
    digits = text.rstrip("=")
    padding = len(text) - len(digits)
    if not BASE64.fullmatch(text) or len(digits) % 4 == 1 or (padding and len(text) % 4):
        raise InvalidArgumentError("Unable to base64 decode")
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))
