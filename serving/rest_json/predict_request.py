"""The body of a REST Predict to arrays, in row or column format.

In TensorFlow Serving: util/json_tensor.cc, FillPredictRequestFromJson."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import orjson

from serving.errors import InvalidArgumentError, ServingError
from serving.rest_json import reader
from serving.rest_json.printing import text_of
from serving.rest_json.values import Filler, is_base64, plain_array, shape_of
from serving.signature import Slot

Arrays = dict[str, np.ndarray]
FEW_QUOTES = 32
SPACED = re.compile(rb'"[ \t\n\r]+:')  # a name with blanks before its colon


class Form(Enum):
    """How the request is written, and hence the answer."""

    ROW = "instances"
    COLUMN = "inputs"


@dataclass(frozen=True)
class Document:
    """The JSON object of a body; plain: nothing in its text asks for more care than numpy takes."""

    members: dict[str, Any]
    signature_name: str
    plain: bool = False


def parse(body: bytes) -> Document:
    """Reads the body and its `signature_name`; raises INVALID_ARGUMENT when it is no JSON object."""
    if not body:
        raise InvalidArgumentError("JSON Parse error: The document is empty")
    try:
        value = orjson.loads(body)
        plain = True
    except orjson.JSONDecodeError:
        value, plain = reader.read(body), False
    if plain and not _names_are_unique(value, body):
        value = reader.read(body)
    return _document(value, body, plain)


def parse_plain(body: bytes) -> Document | None:
    """As parse(), quickly; None for a body that is not plain JSON or may have a repeated name: parse() reads it."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return _document(value, body, plain=True) if _names_are_unique(value, body) else None


def _document(value: Any, body: bytes, plain: bool) -> Document:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"JSON Value: {text_of(value)} Is not object")
    name = value.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgumentError(
            f"JSON Value: {text_of(value)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return Document(value, name, plain and not _has_bools(body))


def _has_bools(body: bytes) -> bool:
    """Whether it may have some. One byte is looked for many times as fast as four, and numbers have neither."""
    return (b"u" in body and b"true" in body) or (b"f" in body and b"false" in body)


def _names_are_unique(value: Any, body: bytes) -> bool:
    """Whether no name is repeated in an object, which orjson would not tell. False also where that is not sure.

    Each member has a name, and so two quotation marks; where there are no more, none was dropped. Else, as there may be
    strings: a `":`, as json.dumps writes it; fewer members than these means that one was dropped."""
    members = 0
    level: list[Any] = [value]
    for _ in range(3):  # the document, its rows or inputs, base64 objects
        objects = [item for item in level if isinstance(item, dict)]
        members += sum(map(len, objects))
        level = [item for found in objects for item in found.values()]
        lists = [found for found in level if isinstance(found, list) and found and isinstance(found[0], dict)]
        level += [item for found in lists for item in found]
    if _has_quotes(body, 2 * members):
        return True
    return not SPACED.search(body) and members == body.count(b'":')


def _has_quotes(body: bytes, number: int) -> bool:
    """Whether so many are in the body. To find the few around numbers is many times as fast as to count."""
    if number > FEW_QUOTES:
        return body.count(b'"') == number
    at = -1
    for _ in range(number):
        at = body.find(b'"', at + 1)
        if at < 0:
            return False
    return body.find(b'"', at + 1) < 0


def tensors(document: Document, inputs: Mapping[str, Slot], may_omit: Set[str] = frozenset()) -> tuple[Arrays, Form]:
    """Alias -> array for each input of the signature, and the form of the request.

    may_omit: inputs that a request need not have; rows have them all or none."""
    if not inputs:
        raise InvalidArgumentError(f"Failed to get input map for signature: {document.signature_name or 'DEFAULT'}")
    members = document.members
    if may_omit:
        inputs = _without_omitted(members, inputs, may_omit)
    if "instances" in members and "inputs" in members:
        raise InvalidArgumentError(
            f"JSON Value: {text_of(members)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in members:
        return _rows(members["instances"], inputs, document), Form.ROW
    if "inputs" in members:
        return _columns(members["inputs"], inputs, document.plain), Form.COLUMN
    raise InvalidArgumentError("Missing 'inputs' or 'instances' key")


def _without_omitted(members: Mapping[str, Any], inputs: Mapping[str, Slot], may_omit: Set[str]) -> Mapping[str, Slot]:
    """The inputs that a request is to have: those that may be omitted count where its value, or its first row, has
    them."""
    rows = members.get("instances")
    value = rows[0] if isinstance(rows, list) and rows else members.get("inputs")
    given = value if isinstance(value, dict) and not is_base64(value) else ()
    return {alias: slot for alias, slot in inputs.items() if alias not in may_omit or alias in given}


def _columns(value: Any, inputs: Mapping[str, Slot], plain: bool) -> Arrays:
    """Each value is the whole tensor; names that are no input are ignored."""
    if isinstance(value, dict) and not is_base64(value):
        for alias in inputs:
            if alias not in value:
                raise InvalidArgumentError(f"Missing named input: {alias} in 'inputs' object.")
        return {alias: _tensor(value[alias], slot, plain) for alias, slot in inputs.items()}
    if len(inputs) > 1:
        raise InvalidArgumentError(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    return {alias: _tensor(value, slot, plain) for alias, slot in inputs.items()}


def _tensor(value: Any, slot: Slot, plain: bool) -> np.ndarray:
    array = plain_array(value, slot) if plain else None
    if array is not None:
        return array
    filler = Filler(slot)
    shape = shape_of(value)
    filler.add(value, shape)
    return filler.array(shape)


def _rows(rows: Any, inputs: Mapping[str, Slot], document: Document) -> Arrays:
    """Each element is one row of every input; tensors get the number of rows as their first dimension."""
    if not isinstance(rows, list):
        raise InvalidArgumentError(f"JSON Value: {text_of(document.members)} Expecting 'instances' to be an list/array")
    if not rows:
        raise InvalidArgumentError(f"JSON Value: {text_of(document.members)} No values in 'instances' array")
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise InvalidArgumentError(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if document.plain:
        arrays = _plain_rows(rows, inputs)
        if arrays is not None:
            return arrays
    return _RowByRow(inputs).read(rows)


def _plain_rows(rows: list[Any], inputs: Mapping[str, Slot]) -> Arrays | None:
    """All rows at once; None when a row is not as the first or a value does not fit."""
    arrays: Arrays = {}
    for alias, slot in inputs.items():
        column = rows
        if isinstance(rows[0], dict):
            try:
                column = [row[alias] for row in rows]
            except (KeyError, TypeError):
                return None
            if any(len(row) != len(inputs) for row in rows):
                return None
        array = plain_array(column, slot)
        if array is None:
            return None
        arrays[alias] = array
    return arrays


class _RowByRow:
    """Rows with a check of each, for the texts that name the row."""

    def __init__(self, inputs: Mapping[str, Slot]) -> None:
        self._inputs = inputs
        self._fillers = {alias: Filler(slot) for alias, slot in inputs.items()}
        self._first: dict[str, tuple[int, tuple[int, ...]]] = {}

    def read(self, rows: list[Any]) -> Arrays:
        named = isinstance(rows[0], dict) and not is_base64(rows[0])
        for index, row in enumerate(rows):
            is_object = isinstance(row, dict) and not is_base64(row)
            if named and not is_object:
                raise InvalidArgumentError(f"Expecting object but got list at item {index} of input list")
            if is_object and not named:
                raise InvalidArgumentError(f"Expecting value/list but got object at item {index} of input list")
            if named:
                self._add_object(index, row)
            else:
                self._add(index, row, next(iter(self._inputs)), "")
        return {alias: self._fillers[alias].array((len(rows), *shape)) for alias, (_, shape) in self._first.items()}

    def _add_object(self, index: int, row: dict[str, Any]) -> None:
        for alias, value in [*row.items(), *getattr(row, "repeated", ())]:
            self._add(index, value, alias, f" key: {alias}")
        if set(row) != set(self._inputs):
            raise InvalidArgumentError(
                f"Failed to process element: {index} of 'instances' list. JSON object: {text_of(row)} keys must be "
                f"equal to: {','.join(sorted(self._inputs))}"
            )

    def _add(self, index: int, value: Any, alias: str, key: str) -> None:
        try:
            self._add_value(value, alias)
        except ServingError as error:
            raise InvalidArgumentError(
                f"Failed to process element: {index}{key} of 'instances' list. Error: {error.status}"
            ) from None

    def _add_value(self, value: Any, alias: str) -> None:
        if alias not in self._inputs:
            raise InvalidArgumentError(f"JSON object: does not have named input: {alias}")
        shape = shape_of(value)
        count = self._fillers[alias].add(value, shape)
        first_count, first_shape = self._first.setdefault(alias, (count, shape))
        if count != first_count:
            raise InvalidArgumentError(f"Expecting tensor size: {first_count} but got: {count}")
        if shape != first_shape:
            raise InvalidArgumentError(f"Expecting shape {_printed(first_shape)} but got: {_printed(shape)}")


def _printed(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
