"""Reads JSON as TensorFlow Serving does.

`NaN`, `Infinity` and `Inf` are numbers, text after the first value is ignored, of a repeated key the first counts,
nesting has no limit. In TensorFlow Serving: util/json_tensor.cc, ParseJson.

Most texts are plain JSON and read by orjson. This reader takes what orjson refuses, and says what is wrong where."""

import re
from enum import Enum
from typing import Any

from serving.errors import InvalidArgumentError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPACE = re.compile(rb"[ \t\n\r]*")
PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
WHOLE = re.compile(rb"-?(?:0|[1-9][0-9]*)")
DIGITS = re.compile(rb"[0-9]*")
HEX = re.compile(rb"[0-9a-fA-F]{4}")
ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
LITERALS: dict[bytes, tuple[bytes, Any]] = {b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None)}
NO_VALUE = frozenset((b"", b"\0", b",", b":", b"]", b"}"))


class Due(Enum):
    """What must come next, and what is said when it does not."""

    DOCUMENT = "The document is empty."
    FIRST_NAME = "Missing a name for object member."
    NAME = "Missing a name for object member. "
    COLON = "Missing a colon after a name of object member."
    MEMBER_VALUE = "Invalid value."
    MEMBER_END = "Missing a comma or '}' after an object member."
    FIRST_ELEMENT = "Invalid value. "
    ELEMENT = "Invalid value.  "
    ELEMENT_END = "Missing a comma or ']' after an array element."

    @property
    def reason(self) -> str:
        """The text (enum values that are equal would be one member, hence the blanks)."""
        return self.value.rstrip()


VALUES = (Due.DOCUMENT, Due.MEMBER_VALUE, Due.FIRST_ELEMENT, Due.ELEMENT)


class Members(dict[str, Any]):
    """An object: the first value of each name. `repeated` has the others, in their order."""

    def __init__(self) -> None:
        self.repeated: list[tuple[str, Any]] = []


def member_count(value: dict[str, Any]) -> int:
    """How many members the object has in the text, repeated names too."""
    return len(value) + len(getattr(value, "repeated", ()))


def read(text: bytes) -> Any:
    """The first value in the text; objects with a repeated name are Members.

    String bytes that are not UTF-8 come as surrogate escapes. Raises INVALID_ARGUMENT with reason and offset."""
    at = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    open_values: list[Any] = []
    names: list[str] = []
    due = Due.DOCUMENT
    while True:
        at = SPACE.match(text, at).end()  # type: ignore[union-attr]
        char = text[at : at + 1]
        if due in VALUES:
            if char in (b"[", b"{"):
                open_values.append([] if char == b"[" else Members())
                due = Due.FIRST_ELEMENT if char == b"[" else Due.FIRST_NAME
                at += 1
                continue
            if char == b"]" and due is Due.FIRST_ELEMENT:
                value, at = open_values.pop(), at + 1
            elif char in NO_VALUE:
                raise _error(due.reason, at)
            else:
                value, at = _string(text, at) if char == b'"' else _literal(text, at)
        elif due in (Due.FIRST_NAME, Due.NAME) and char == b'"':
            name, at = _string(text, at)
            names.append(name)
            due = Due.COLON
            continue
        elif due is Due.COLON and char == b":":
            due, at = Due.MEMBER_VALUE, at + 1
            continue
        elif due in (Due.MEMBER_END, Due.ELEMENT_END) and char == b",":
            due, at = Due.NAME if due is Due.MEMBER_END else Due.ELEMENT, at + 1
            continue
        elif (due in (Due.MEMBER_END, Due.FIRST_NAME) and char == b"}") or (due is Due.ELEMENT_END and char == b"]"):
            value, at = open_values.pop(), at + 1
        else:
            raise _error(due.reason, at)
        if not open_values:
            return value
        parent = open_values[-1]
        if isinstance(parent, list):
            parent.append(value)
            due = Due.ELEMENT_END
        else:
            name = names.pop()
            if name in parent:
                parent.repeated.append((name, value))
            else:
                parent[name] = value
            due = Due.MEMBER_END


def _error(reason: str, at: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"JSON Parse error: {reason} at offset: {at}")


def _string(text: bytes, at: int) -> tuple[str, int]:
    """The string that begins with the quotation mark at this offset, and the offset after it."""
    parts = []
    at += 1
    while True:
        plain = PLAIN.match(text, at)
        parts.append(plain[0])  # type: ignore[index]
        at = plain.end()  # type: ignore[union-attr]
        char = text[at : at + 1]
        if char == b'"':
            return b"".join(parts).decode("utf-8", "surrogateescape"), at + 1
        if char in (b"", b"\0"):
            raise _error("Missing a closing quotation mark in string.", at)
        if char != b"\\":
            raise _error("Invalid escape character in string.", at)
        part, at = _escape(text, at)
        parts.append(part)


def _escape(text: bytes, at: int) -> tuple[bytes, int]:
    """The UTF-8 of the escape at this offset, and the offset after it."""
    kind = text[at + 1 : at + 2]
    if kind in ESCAPES:
        return ESCAPES[kind], at + 2
    if kind != b"u":
        raise _error("Invalid escape character in string.", at)
    point, after = _hex(text, at + 2, at), at + 6
    if 0xD800 <= point <= 0xDBFF:
        if text[after : after + 2] != b"\\u":
            raise _error("The surrogate pair in string is invalid.", at)
        low = _hex(text, after + 2, at)
        if not 0xDC00 <= low <= 0xDFFF:
            raise _error("The surrogate pair in string is invalid.", at)
        point, after = 0x10000 + ((point & 0x3FF) << 10) + (low & 0x3FF), after + 6
    return chr(point).encode("utf-8", "surrogatepass"), after


def _hex(text: bytes, at: int, escape: int) -> int:
    digits = HEX.match(text, at)
    if digits is None:
        raise _error("Incorrect hex digit after \\u escape in string.", escape)
    return int(digits[0], 16)


def _literal(text: bytes, at: int) -> tuple[Any, int]:
    """A number, or true, false, null."""
    first = text[at : at + 1]
    if first not in LITERALS:
        return _number(text, at)
    word, value = LITERALS[first]
    end = _follow(text, at, word)
    return value, end


def _follow(text: bytes, at: int, word: bytes) -> int:
    """The offset after the word; an error stands where the text leaves it."""
    for index, char in enumerate(word):
        if text[at + index : at + index + 1] != bytes((char,)):
            raise _error("Invalid value.", at + index)
    return at + len(word)


def _number(text: bytes, start: int) -> tuple[float, int]:
    whole = WHOLE.match(text, start)
    if whole is None:
        return _not_finite(text, start)
    at = whole.end()
    exact = True
    if text[at : at + 1] == b".":
        exact, at = False, _digits(text, at + 1, "Miss fraction part in number.")
    if text[at : at + 1] in (b"e", b"E"):
        signed = text[at + 1 : at + 2] in (b"+", b"-")
        exact, at = False, _digits(text, at + 1 + signed, "Miss exponent in number.")
    if exact and at - start <= 20 and -(1 << 63) <= (number := int(text[start:at])) < 1 << 64:
        return number, at
    value = float(text[start:at])
    if value in (float("inf"), float("-inf")):
        raise _error("Number too big to be stored in double.", start)
    return value, at


def _digits(text: bytes, at: int, missing: str) -> int:
    end = DIGITS.match(text, at).end()  # type: ignore[union-attr]
    if end == at:
        raise _error(missing, at)
    return end


def _not_finite(text: bytes, at: int) -> tuple[float, int]:
    sign = -1.0 if text[at : at + 1] == b"-" else 1.0
    at += sign < 0
    if text[at : at + 1] == b"N":
        return float("nan"), _follow(text, at, b"NaN")
    if text[at : at + 1] != b"I":
        raise _error("Invalid value.", at)
    at = _follow(text, at, b"Inf")
    if text[at : at + 1] == b"i":
        at = _follow(text, at, b"inity")
    return sign * float("inf"), at
