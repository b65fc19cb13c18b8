"""JSON values as they stand in messages: pretty-printed, arrays on one line, cut.

In TensorFlow Serving: util/json_tensor.cc,
JsonValueToString; and the escapes of strings that answers share."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from serving.rest_json import numbers

LONGEST = 256  # bytes
INDENT = "    "
END: Any = object()
SPECIAL = re.compile(r'["\\\x00-\x1f]')
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """The string in JSON: only quotation marks, backslashes and control characters are escaped."""
    if SPECIAL.search(text):
        text = SPECIAL.sub(lambda found: SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}", text)
    return f'"{text}"'


def type_name(value: Any) -> str:
    """Null, False, True, Object, Array, String or Number."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    kinds: list[tuple[type, str]] = [(dict, "Object"), (list, "Array"), (str, "String")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "Number")


def text_of(value: Any) -> str:
    """The value as text, at most 256 bytes of it. Works at any depth."""
    parts: list[str] = []
    length = 0
    for part in _parts(value):
        parts.append(part)
        length += len(part)
        if length > LONGEST:
            break
    return "".join(parts).encode("utf-8", "surrogateescape")[:LONGEST].decode("utf-8", "surrogateescape")


def _parts(value: Any) -> Iterator[str]:
    """The pieces of the text, in order; each open container is one entry of a stack, not one call."""
    stack: list[tuple[Iterator[Any], bool, bool]] = []  # (what is left of it, is an object, is at its first)
    indent = 0

    def opened(item: Any) -> str:
        nonlocal indent
        if isinstance(item, dict) and item:
            indent += 1
            stack.append((iter(item.items()), True, True))
            return "{"
        if isinstance(item, list) and item:
            stack.append((iter(item), False, True))
            return "["
        return _leaf(item)

    yield opened(value)
    while stack:
        rest, is_object, first = stack.pop()
        item = next(rest, END)
        if item is END:
            indent -= is_object
            yield f"\n{INDENT * indent}}}" if is_object else "]"
            continue
        stack.append((rest, is_object, False))
        if is_object:
            name, item = item
            yield f"{'' if first else ','}\n{INDENT * indent}{quoted(name)}: "
        elif not first:
            yield ", "
        yield opened(item)


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return numbers.texts(np.array([value]))[0]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace(" ", "")
