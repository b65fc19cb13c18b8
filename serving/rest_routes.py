"""Which call a request of the REST API means. In TensorFlow Serving: model_servers/http_rest_api_handler.cc.

The whole target is matched as it was sent, a query string included; names are URL-decoded afterwards."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from serving.calls import ModelSpec
from serving.errors import InvalidArgumentError

NAME, VERSION = r"([^/:]+)", r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
RUN = re.compile(rf"/v1/models/{NAME}{VERSION}:(classify|regress|predict)", re.IGNORECASE)
STREAM = re.compile(rf"/v1/models/{NAME}{VERSION}:(generate_stream)")
LOOK = re.compile(rf"/v1/models(?:/{NAME})?{VERSION}(/metadata)?", re.IGNORECASE)
API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")  # others the stock HTTP library does not know
LONGEST_VERSION = len(str((1 << 63) - 1))  # digits; Python itself refuses to read 4,300 and more


@dataclass(frozen=True)
class Route:
    """A call: predict, classify, regress, status or metadata, and the model that it is for."""

    call: str
    spec: ModelSpec


def route(method: str, target: str) -> Route:
    """The call that a target under /v1/ means; raises INVALID_ARGUMENT when it fits no route."""
    found = RUN.fullmatch(target) if method == "POST" else None
    if found and found[4].islower():
        return Route(found[4], _spec(found))
    found = LOOK.fullmatch(target) if method == "GET" else None
    if found is None:
        raise InvalidArgumentError(f"Malformed request: {method} {target}")
    if found[1] is None:
        raise InvalidArgumentError("Missing model name in request.")
    return Route("metadata" if found[4] == "/metadata" else "status", _spec(found))


def stream_route(method: str, target: str) -> ModelSpec | None:
    """The model that a stream of text is asked of; None for any other request. Raises INVALID_ARGUMENT."""
    found = STREAM.fullmatch(target) if method == "POST" else None
    return None if found is None else _spec(found)


def _spec(found: re.Match[str]) -> ModelSpec:
    name, version, label, _ = found.groups()
    return ModelSpec(
        unquote(name),
        None if version is None else _version(version),
        None if label is None else unquote(label),
    )


def _version(text: str) -> int:
    digits = text.lstrip("0") or "0"
    if len(digits) > LONGEST_VERSION or int(digits) >= 1 << 63:
        raise InvalidArgumentError(f"Failed to convert version: {text} to numeric.")
    return int(digits)
