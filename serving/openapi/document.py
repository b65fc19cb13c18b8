"""The OpenAPI document: paths of each model, version and label. https://spec.openapis.org/oas/v3.1.1.html"""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib import metadata
from urllib.parse import quote

from serving.calls import classify, regress
from serving.openapi.schemas import Schema, examples_body, predict_bodies
from serving.signature import Signature

PATH = "/openapi.json"
Signatures = Mapping[str, Signature]
ERRORS = (400, 401, 403, 404, 408, 409, 413, 429, 431, 499, 500, 501, 503, 504)
COMPONENTS: Schema = {
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
        "additionalProperties": False,
    },
    "Status": {
        "type": "object",
        "properties": {
            "model_version_status": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "version": {"type": "string", "pattern": "^-?[0-9]+$"},
                        "state": {
                            "type": "string",
                            "enum": ["UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END"],
                        },
                        "status": {
                            "type": "object",
                            "properties": {"error_code": {"type": "string"}, "error_message": {"type": "string"}},
                            "required": ["error_code", "error_message"],
                        },
                    },
                    "required": ["version", "state", "status"],
                },
            }
        },
        "required": ["model_version_status"],
    },
    "Metadata": {
        "type": "object",
        "properties": {"model_spec": {"type": "object"}, "metadata": {"type": "object"}},
        "required": ["model_spec", "metadata"],
    },
    "Predicted": {
        "description": "predictions for a body with instances, outputs for one with inputs",
        "oneOf": [
            {"type": "object", "properties": {"predictions": {"type": "array"}}, "required": ["predictions"]},
            {"type": "object", "properties": {"outputs": {}}, "required": ["outputs"]},
        ],
    },
    "Event": {"description": "lines `data: {...}`, one for each token, and one that says that the text is done"},
    "Results": {
        "type": "object",
        "properties": {"results": {"type": "array"}},
        "required": ["results"],
    },
}

_ID = {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}
STREAM: Schema = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string"},
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": 4096, "default": 64},
        "temperature": {"type": "number", "minimum": 0, "default": 1.0},
        "top_k": {"type": "integer", "minimum": 0, "default": 0},
        "seed": {"type": "integer"},
        "stop": {"type": "array", "items": {"type": "string"}, "maxItems": 64, "default": []},
        "sequence_id": _ID,
        "keep": {"type": "boolean", "default": False},
    },
    "required": ["prompt"],
    "additionalProperties": False,
}


def document(
    models: Mapping[str, Mapping[int, Signatures]],
    labels: Mapping[str, Mapping[str, int]],
    with_tokens: bool = False,
    with_streams: bool = False,
) -> bytes:
    """The document as JSON. models: name -> version -> signatures, of those that are loaded; labels: name -> label ->
    version; with_tokens: each call wants one; with_streams: models that can write text stream it."""
    paths: Schema = {}
    for name, versions in sorted(models.items()):
        if versions:
            root = f"/v1/models/{quote(name, safe='')}"
            paths |= _paths(root, name, versions[max(versions)], with_streams)
            for version, signatures in sorted(versions.items()):
                paths |= _paths(f"{root}/versions/{version}", f"{name}, version {version}", signatures, with_streams)
            for label, version in sorted(labels.get(name, {}).items()):
                if version in versions:
                    of = f"{name}, label {label}"
                    paths |= _paths(f"{root}/labels/{quote(label, safe='')}", of, versions[version], with_streams)
    found: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "seqzoo model server",
            "description": "TensorFlow Serving's REST API, of the models that are loaded now.",
            "version": metadata.version("seqzoo"),
        },
        "paths": paths,
        "components": {"schemas": COMPONENTS},
    }
    if with_tokens:
        found["components"] |= {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        found["security"] = [{"token": []}]
    return json.dumps(found, indent=1).encode()


def _paths(root: str, of: str, signatures: Signatures, with_streams: bool) -> Schema:
    found = {
        root: {"get": _operation(f"States of {of}", "Status")},
        f"{root}/metadata": {"get": _operation(f"Signatures of {of}", "Metadata")},
    }
    for verb, summary, answer, body in _runs(signatures):
        found[f"{root}:{verb}"] = {"post": _operation(f"{summary} of {of}", answer, body)}
    text = _stream(signatures) if with_streams else None
    if text is not None:
        stream = _operation(f"Text of {of}, token by token", "Event", text)
        answered = stream["responses"]["200"]
        answered["content"] = {"text/event-stream": answered["content"]["application/json"]}
        found[f"{root}:generate_stream"] = {"post": stream}
    return found


def _stream(signatures: Signatures) -> Schema | None:
    """The body of `generate_stream`; None where the signatures cannot write text."""
    step = signatures.get("step")
    if step is None or "tokens" not in step.inputs or "logits" not in step.outputs:
        return None
    if not {"encode", "decode"} <= set(signatures):
        return None
    return STREAM


def _runs(signatures: Signatures) -> Iterator[tuple[str, str, str, Schema]]:
    """(verb, summary, name of the answer's schema, schema of the body)."""
    yield "predict", "Predict", "Predicted", {"anyOf": predict_bodies(signatures) or [{"type": "object"}]}
    for verb, method in (("classify", classify.METHOD), ("regress", regress.METHOD)):
        body = examples_body(signatures, method)
        if body is not None:
            yield verb, verb.capitalize(), "Results", body


def _operation(summary: str, answer: str, body: Schema | None = None) -> Schema:
    content = {"content": {"application/json": {"schema": body}}, "required": True}
    return {
        "summary": summary,
        **({} if body is None else {"requestBody": content}),
        "responses": {
            "200": _response("OK", answer),
            **{str(status): _response(_reason(status), "Error") for status in ERRORS},
        },
    }


def _response(description: str, schema: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    request_id = {"x-request-id": {"schema": {"type": "string"}, "required": True}}
    return {"description": description, "headers": request_id, "content": content}


def _reason(status: int) -> str:
    return "Client Closed Request" if status == 499 else HTTPStatus(status).phrase
