"""The special inputs of a REST Predict, and the document without them."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from serving.calls.model_spec import ModelSpec
from serving.dtypes import BYTES
from serving.errors import InvalidArgumentError, ServingError
from serving.rest_json.predict_request import Arrays, Document, Form, tensors
from serving.rest_json.reader import Members
from serving.rest_json.values import decode_base64, is_base64
from serving.sequences import errors
from serving.sequences.call import Call
from serving.sequences.contract import STEP as SIGNATURE
from serving.sequences.special_inputs import CONTROL, ID, SPECIAL, STEP, SpecialInputs, from_arrays
from serving.signature import Signature

NO_SIGNATURE = InvalidArgumentError(f'Serving signature name: "{SIGNATURE}" not found in signature def')
DTYPES = {ID: np.uint64, CONTROL: np.uint32, STEP: np.int64}
ID_NAME = b'"%s"' % ID.encode()
ID_IN_BODY = re.compile(rb'%s\s*:\s*\[?\s*([0-9]+|"(?:[^"\\]|\\.)*")' % ID_NAME)


class RestInputs:
    """The inputs of a request whose body has special ones."""

    def __init__(self, document: Document, form: Form, rows: list[dict[str, Any]]) -> None:
        """rows: the objects in which inputs stand; one, but for a row format with more."""
        self.form = form
        self._rows = rows
        self.special_aliases = [alias for alias in SPECIAL if any(alias in row for row in rows)]
        self.aliases = [alias for alias in rows[0] if alias not in SPECIAL]
        members = {name: value for name, value in document.members.items() if name != form.value}
        left = [_without_special(row) for row in rows]
        members[form.value] = left if form is Form.ROW else left[0]
        self._document = replace(document, members=members)

    def special(self) -> SpecialInputs:
        """What the special inputs say; raises INVALID_ARGUMENT."""
        if len(self._rows) > 1:
            for alias in sorted(self.aliases):
                raise errors.rows(alias, len(self._rows))
            raise errors.no_shape()
        row = self._rows[0]
        return from_arrays({alias: _array(row[alias], DTYPES[alias]) for alias in SPECIAL if alias in row})

    def feeds(self, signature: Signature) -> Mapping[str, np.ndarray]:
        """The other inputs: tensor name -> array; raises INVALID_ARGUMENT."""
        if not signature.inputs:
            return {}
        arrays: Arrays = tensors(self._document, signature.inputs)[0]
        return {slot.tensor: arrays[alias] for alias, slot in signature.inputs.items()}


def inputs_of(document: Document) -> RestInputs | None:
    """The inputs of a body, if some of them are special ones; None leaves it to an ordinary call."""
    members = document.members
    if Form.ROW.value in members and Form.COLUMN.value in members:
        return None
    for form in Form:
        value = members.get(form.value)
        rows: list[Any] = value if form is Form.ROW and isinstance(value, list) else [value]
        if all(isinstance(row, dict) for row in rows) and any(alias in row for row in rows for alias in SPECIAL):
            return RestInputs(document, form, rows)
    return None


def call(spec: ModelSpec, inputs: RestInputs, deadline_micros: int | None) -> Call:
    """The call of a sequence, for its signature."""
    return Call(
        ModelSpec(spec.name, spec.version, spec.label, SIGNATURE),
        special=inputs.special,
        special_aliases=inputs.special_aliases,
        aliases=inputs.aliases,
        feeds=inputs.feeds,
        no_signature=NO_SIGNATURE,
        deadline_micros=deadline_micros,
    )


def id_in(body: bytes) -> int | str | None:
    """The id as a body has it that is not parsed yet; None where it cannot be told, as when it is in base64."""
    found = ID_IN_BODY.search(body) if ID_NAME in body else None  # most have none, which is told many times as fast
    try:
        return (json.loads(found[1]) or None) if found is not None else None
    except ValueError:
        return None


def _without_special(row: dict[str, Any]) -> dict[str, Any]:
    left = {alias: value for alias, value in row.items() if alias not in SPECIAL}
    if not isinstance(row, Members):
        return left
    members = Members()
    members.update(left)
    members.repeated = [(alias, value) for alias, value in row.repeated if alias not in SPECIAL]
    return members


def _array(value: Any, dtype: type) -> np.ndarray | None:
    """`[7]` and `7` both are [1]; None for what is neither a whole number that fits nor, for an id, a string."""
    values = value if isinstance(value, list) else [value]
    if len(values) != 1 or isinstance(values[0], list):
        return np.zeros(len(values) if len(values) != 1 else (1, 1), dtype)
    (only,) = values
    if isinstance(only, int) and not isinstance(only, bool):
        try:
            return np.array([only], dtype)
        except OverflowError:
            return None
    text = None
    if isinstance(only, str):
        text = only.encode("utf-8", "surrogateescape")
    elif is_base64(only):
        try:
            text = decode_base64(only)
        except ServingError:
            return None
    if text is None:
        return None
    array = np.empty(1, BYTES)
    array[0] = text
    return array
