"""`seqzoo ask`: one question to a server, by our client."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import InputError
from training.tasks.table import TASKS, task_module

GRPC = ("grpc://", "grpcs://")
SECURE = ("https://", "grpcs://")


def ask(
    model: str,
    inputs: str | None,
    signature: str,
    url: str,
    timeout: float,
    *,
    token: str | None = None,
    roots: str | None = None,
) -> dict[str, Any]:
    """The outputs as JSON values. inputs: a JSON object, @FILE with one, or None for the task's own example; token: for
    a server that asks for one; roots: PEM file of the authorities that its certificate is checked against.

    Raises InputError for inputs that are no JSON object, and the client's error when the server refuses."""
    arrays = _example(model, signature) if inputs is None else given(inputs)
    with connect(url, timeout, token, roots) as client:
        outputs = client.predict(model, arrays, signature_name=signature)
    return {name: _plain(np.asarray(value)) for name, value in outputs.items()}


def connect(url: str, timeout: float, token: str | None, roots: str | None) -> Any:
    """A client for the address: a GrpcClient or a RestClient. Raises InputError for roots that cannot be used."""
    from serving.client import GrpcClient, RestClient
    from serving.client_tls import Tls

    if roots is not None and not url.startswith(SECURE):
        raise InputError(f"--roots is for a secure address; got {url}, expected {' or '.join(SECURE)}HOST:PORT.")
    tls = Tls(roots) if url.startswith(SECURE) else None
    try:
        if url.startswith(GRPC):
            return GrpcClient(url.partition("://")[2], timeout, tls=tls, token=token)
        return RestClient(url, timeout, tls=tls, token=token)
    except OSError as error:
        raise InputError(f"--roots {roots} cannot be used ({error}); give a file of certificates, PEM.") from error


def _example(model: str, signature: str) -> dict[str, Any]:
    if model not in TASKS:
        raise InputError(f"{model!r} has no example of its own; give --inputs; `seqzoo info {model}` says which.")
    module = task_module(model)
    examples = module.prepare(module.RUN, None).examples()
    if signature not in examples:
        raise InputError(f"{model!r} has no example for {signature!r}; it has some for {', '.join(examples)}.")
    return dict(examples[signature])


def given(inputs: str) -> dict[str, Any]:
    """The JSON object that `--inputs` holds or names; raises InputError."""
    try:
        text = Path(inputs[1:]).read_text(encoding="utf-8") if inputs.startswith("@") else inputs
        found = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"--inputs {inputs[:60]} cannot be read as JSON ({error}); give an object.") from error
    if not isinstance(found, dict):
        raise InputError(f"--inputs holds a {type(found).__name__}; expected a JSON object, one value for each input.")
    return found


def _plain(array: np.ndarray) -> Any:
    if array.dtype == object or array.dtype.kind == "S":
        decode = np.vectorize(lambda value: value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
        return decode(array).tolist() if array.size else array.tolist()
    return array.tolist()
