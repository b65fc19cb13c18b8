"""Numbers as REST answers print them. In TensorFlow Serving: util/json_tensor.cc, WriteDecimal.

A float is `%g` with 6 digits if that reads back to the same value in its dtype, else `%.9g` (float) or `%.17g`
(double); `.0` is added where there is neither `.` nor `e`. Few floats of a model read back from 6 digits, so all are
formatted at once with the long form, and only those that might be shorter, or whole, are looked at one by one."""

from functools import lru_cache
from typing import Any

import numpy as np

FEW = 16  # numbers that are sooner looked at one by one
LONG = {np.dtype(np.float32): "%.9g", np.dtype(np.float64): "%.17g"}


def nested(array: np.ndarray) -> str:
    """The whole array as nested lists, on one line; a bare number at rank 0. dtypes as in `texts`."""
    if array.dtype in LONG and array.size > FEW and not _may_be_short(array.reshape(-1)).any():
        return template(array.shape, LONG[array.dtype]) % tuple(array.reshape(-1).tolist())
    return template(array.shape) % tuple(texts(array))


@lru_cache(maxsize=64)
def template(shape: tuple[int, ...], element: str = "%s") -> str:
    """Nested lists of this shape with this format for each element."""
    text = element
    for size in reversed(shape):
        text = f"[{', '.join([text] * size)}]"
    return text


def texts(array: np.ndarray) -> list[str]:
    """The text of each element, in C order; the dtype is a float of 32 or 64 bits, an integer, or bool."""
    flat = array.reshape(-1)
    if flat.dtype.kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if flat.dtype.kind in "iu":
        return [str(value) for value in flat.tolist()]
    values = flat.tolist()
    if len(values) <= FEW:
        return [_text(value, flat.dtype.type, LONG[flat.dtype]) for value in values]
    careful = np.flatnonzero(_may_be_short(flat)).tolist()
    long = LONG[flat.dtype]
    if len(careful) == len(values):
        return [_text(value, flat.dtype.type, long) for value in values]
    found = (",".join([long] * len(values)) % tuple(values)).split(",")
    for index in careful:
        found[index] = _text(values[index], flat.dtype.type, long)
    return found


def _may_be_short(flat: np.ndarray) -> np.ndarray:
    """False only where 6 digits surely do not read back, and the long form surely has a point or an exponent."""
    with np.errstate(all="ignore"):
        exact = flat.astype(np.float64)
        scale = 10.0 ** (5 - np.floor(np.log10(np.abs(exact))))
        rounded = np.rint(exact * scale) / scale
        surely_long = np.abs(rounded - exact) > 4 * np.abs(np.spacing(flat).astype(np.float64))
        return ~(surely_long & (exact != np.rint(exact)) & np.isfinite(exact))


def _text(value: float, dtype: Any, long: str) -> str:
    """One number. value: exact as a Python float."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:g}"
    if dtype(float(text)) != value:
        text = long % value
    return text if "." in text or "e" in text else text + ".0"
