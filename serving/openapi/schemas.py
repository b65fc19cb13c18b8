"""The JSON that a signature takes, as JSON Schema. https://json-schema.org/draft/2020-12

A schema says what this server would not refuse while it reads the body; whether the graph takes a shape, the graph
decides. That lists at one level have one length, JSON Schema cannot say."""

from collections.abc import Collection, Mapping
from typing import Any

from serving.dtypes import DTYPES
from serving.signature import Signature, Slot

Schema = dict[str, Any]

DEFAULT = "serving_default"
BASE64: Schema = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*$"}},
    "required": ["b64"],
    "additionalProperties": False,
}
VALUES: dict[str, Schema] = {
    "DT_FLOAT": {"type": "number", "format": "float"},
    "DT_DOUBLE": {"type": "number", "format": "double"},
    "DT_BOOL": {"type": "boolean"},
    "DT_STRING": {"anyOf": [{"type": "string"}, BASE64]},
    **{
        f"DT_{kind}{bits}": {
            "type": "integer",
            "format": f"{kind.lower()}{bits}",
            "minimum": 0 if kind == "UINT" else -(1 << (bits - 1)),
            "maximum": (1 << bits) - 1 if kind == "UINT" else (1 << (bits - 1)) - 1,
        }
        for kind, bits in (
            *(("INT", 8), ("INT", 16), ("INT", 32), ("INT", 64)),
            *(("UINT", 8), ("UINT", 32), ("UINT", 64)),
        )
    },
}  # those that JSON can bring; the other dtypes are answered with 501


def predict_bodies(signatures: Mapping[str, Signature]) -> list[Schema]:
    """A schema for each form of the body of a Predict: rows and columns of each signature that JSON can feed."""
    found = []
    for name, signature in sorted(signatures.items()):
        inputs = signature.inputs
        if not inputs or any(_enum(slot) not in VALUES for slot in inputs.values()):
            continue
        if all(slot.shape != () for slot in inputs.values()):
            found.append(_body(name, "instances", _rows(signature)))
        found.append(_body(name, "inputs", _columns(signature)))
    return found


def examples_body(signatures: Mapping[str, Signature], method: str) -> Schema | None:
    """The body of a Classify or a Regress; None where no signature has this method_name."""
    names = sorted(name for name, signature in signatures.items() if signature.method_name == method)
    if not names:
        return None
    feature: Schema = {"anyOf": [_of_one_kind(item) for item in ({"type": "number"}, VALUES["DT_STRING"])]}
    example: Schema = {"type": "object", "additionalProperties": feature}
    return {
        "type": "object",
        "properties": {
            "signature_name": {"type": "string", "enum": names},
            "context": example,
            "examples": {"type": "array", "items": example, "minItems": 1},
        },
        "required": ["examples"] if DEFAULT in names else ["examples", "signature_name"],
    }


def _of_one_kind(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item}]}


def _body(signature: str, key: str, value: Schema) -> Schema:
    required = [key] if signature == DEFAULT else [key, "signature_name"]
    properties: Schema = {"signature_name": {"type": "string", "const": signature}, key: value}
    return {"title": f"{signature}, {key}", "type": "object", "properties": properties, "required": required}


def _rows(signature: Signature) -> Schema:
    """A list with one entry for each row of the batch; a single input may stand without its name."""
    row = _object({alias: _tensor(slot, skip=1) for alias, slot in signature.inputs.items()}, signature.may_omit)
    return _or_plain(
        _list(row | {"additionalProperties": False}),
        [_list(_tensor(slot, skip=1)) for slot in _needed(signature)],
    )


def _columns(signature: Signature) -> Schema:
    """One entry for each input, with its batch axis; a single one may stand without its name.

    Further members are passed over."""
    columns = _object({alias: _tensor(slot) for alias, slot in signature.inputs.items()}, signature.may_omit)
    return _or_plain(columns, [_tensor(slot) for slot in _needed(signature)])


def _needed(signature: Signature) -> list[Slot]:
    return [slot for alias, slot in signature.inputs.items() if alias not in signature.may_omit]


def _or_plain(named: Schema, plain: list[Schema]) -> Schema:
    return {"anyOf": [named, *plain]} if len(plain) == 1 else named


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def _object(properties: Mapping[str, Schema], may_omit: Collection[str]) -> Schema:
    required = sorted(set(properties) - set(may_omit))
    return {"type": "object", "properties": dict(properties), "required": required}


def _tensor(slot: Slot, skip: int = 0) -> Schema:
    """Nested lists of the declared shape, without its first axes; of an unknown rank: a value, a list, or nested."""
    schema = VALUES[_enum(slot)]
    if slot.shape is None:
        return {"anyOf": [schema, {"type": "array"}], "description": "of any rank"}
    for size in reversed(slot.shape[skip:]):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _enum(slot: Slot) -> str:
    return DTYPES[slot.dtype].enum if slot.dtype in DTYPES else ""
