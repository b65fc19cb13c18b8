"""Arrays to the body of a REST Predict's answer. In TensorFlow Serving: util/json_tensor.cc, MakeJsonFromTensors.

Pretty-printed with 4 blanks; an array stands on one line."""

import base64
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np

from serving.dtypes import BYTES, of_array
from serving.errors import InvalidArgumentError
from serving.rest_json import numbers
from serving.rest_json.predict_request import Form
from serving.rest_json.printing import INDENT, quoted

PRINTED = {"float", "double", "int32", "int16", "int8", "uint8", "int64", "uint32", "uint64", "bool", "string"}


def encode(outputs: Mapping[str, np.ndarray], form: Form, named: bool = False) -> bytes:
    """The JSON text. A single output loses its name, unless it is `named`.

    Raises INVALID_ARGUMENT for outputs without such a form: rank 0 or different batch sizes in rows, other dtypes."""
    if not outputs:
        raise InvalidArgumentError("Cannot convert empty tensor map to JSON")
    text = _rows(outputs, named) if form is Form.ROW else _columns(outputs, named)
    return text.encode("utf-8", "surrogateescape")


def _rows(outputs: Mapping[str, np.ndarray], named: bool) -> str:
    batch = _batch_size(outputs)
    if not batch:
        return f'{{\n{INDENT}"predictions": []\n}}'
    if len(outputs) == 1 and not named:
        return f'{{\n{INDENT}"predictions": {next(iter(_nested(outputs).values()))[:-1]}\n{INDENT}]\n}}'
    texts = _texts(outputs)
    columns = {alias: _row_texts(texts[alias], array) for alias, array in outputs.items()}
    names = [f"{INDENT * 3}{quoted(alias)}: " for alias in columns]
    rows = (
        ",\n".join(name + text for name, text in zip(names, texts, strict=True))
        for texts in zip(*columns.values(), strict=True)
    )
    begin, end = f"\n{INDENT * 2}{{\n", f"\n{INDENT * 2}}}"
    return f'{{\n{INDENT}"predictions": [{",".join(begin + row + end for row in rows)}\n{INDENT}]\n}}'


def _batch_size(outputs: Mapping[str, np.ndarray]) -> int:
    batch = -1
    for alias, array in outputs.items():
        if not array.ndim:
            raise InvalidArgumentError(f"Tensor name: {alias} has no shape information ")
        if batch not in (-1, array.shape[0]):
            raise InvalidArgumentError(
                f"Tensor name: {alias} has inconsistent batch size: {array.shape[0]} expecting: {batch}"
            )
        batch = array.shape[0]
    return batch


def _columns(outputs: Mapping[str, np.ndarray], named: bool) -> str:
    texts = _nested(outputs)
    if len(texts) == 1 and not named:
        return f'{{\n{INDENT}"outputs": {next(iter(texts.values()))}\n}}'
    members = ",\n".join(f"{INDENT * 2}{quoted(alias)}: {text}" for alias, text in texts.items())
    return f'{{\n{INDENT}"outputs": {{\n{members}\n{INDENT}}}\n}}'


def _row_texts(flat: list[str], array: np.ndarray) -> list[str]:
    """The text of each row. flat: that of each element."""
    if array.ndim == 1:
        return flat
    template = numbers.template(array.shape[1:])
    size = len(flat) // array.shape[0]
    return [template % tuple(flat[row * size : (row + 1) * size]) for row in range(array.shape[0])]


def _nested(outputs: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Each whole array as nested lists."""
    texts = _texts(outputs)
    return {alias: numbers.template(array.shape) % tuple(texts[alias]) for alias, array in outputs.items()}


def _texts(outputs: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """The text of each element. Numbers of one dtype are written all at once: most of the time goes to the calls of
    numpy, few arrays of a recurrence are large, and its states are many."""
    texts: dict[str, list[str]] = {}
    alike: dict[np.dtype[Any], list[str]] = {}
    for alias, array in outputs.items():
        dtype = of_array(array)
        if dtype.name not in PRINTED:
            raise InvalidArgumentError(f"Failed to write JSON value for tensor type: {dtype.name}")
        if array.dtype != BYTES:
            alike.setdefault(array.dtype, []).append(alias)
        elif alias.endswith("_bytes"):
            texts[alias] = [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in array.reshape(-1)]
        else:
            texts[alias] = [quoted(value.decode("utf-8", "surrogateescape")) for value in array.reshape(-1)]
    for aliases in alike.values():
        flat = [outputs[alias].reshape(-1) for alias in aliases]
        found = numbers.texts(flat[0] if len(flat) == 1 else np.concatenate(flat))
        ends = accumulate(map(len, flat))
        texts |= {alias: found[end - len(part) : end] for alias, part, end in zip(aliases, flat, ends, strict=True)}
    return texts
