"""Numbers as REST answers print them. In TensorFlow Serving: util/json_tensor.cc, WriteDecimal.

A float is `%g` with 6 digits if that reads back to the same value in its dtype, else `%.9g` (float) or `%.17g`
(double); `.0` is added where there is neither `.` nor `e`. Which it is numpy tells of all at once; only those of which
it can't be sure, and whole numbers, are looked at one by one."""

from functools import lru_cache
from typing import Any

import numpy as np

FEW = 16  # numbers that are sooner looked at one by one
LONG = {np.dtype(np.float32): "%.9g", np.dtype(np.float64): "%.17g"}


@lru_cache(maxsize=64)
def template(shape: tuple[int, ...]) -> str:
    """Nested lists of this shape on one line, with `%s` for each element; a bare one at rank 0."""
    text = "%s"
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
    long = LONG[flat.dtype]
    short, careful = _looked_at(flat)
    if len(careful) == len(values):
        return [_text(value, flat.dtype.type, long) for value in values]
    formats = [long] * len(values)
    for index in short:
        formats[index] = "%g"
    found = (",".join(formats) % tuple(values)).split(",")
    for index in careful:
        found[index] = _text(values[index], flat.dtype.type, long)
    return found


def _looked_at(flat: np.ndarray) -> tuple[list[int], list[int]]:
    """Where 6 digits surely read back, and where that is not sure, or the text may have neither point nor exponent;
    elsewhere they surely do not.

    What is read is the nearest number: one that is off by less than half of the way to the next one. Below a power of
    two that way is half as long. The 6 digits are known in float64: well enough for a float, not for a double."""
    with np.errstate(all="ignore"):
        exact = flat.astype(np.float64)
        scale = 10.0 ** (5 - np.floor(np.log10(np.abs(exact))))
        off = np.abs(np.rint(exact * scale) / scale - exact) / np.abs(np.spacing(flat).astype(np.float64))
        plain = (exact != np.rint(exact)) & np.isfinite(exact)
        sure = (off < 0.2, off > 0.6) if flat.dtype == np.float32 else (off < 0, off > 4)
        return np.flatnonzero(plain & sure[0]).tolist(), np.flatnonzero(~(plain & (sure[0] | sure[1]))).tolist()


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
