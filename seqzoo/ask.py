"""`seqzoo ask`: one question to a server, by our client."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import InputError
from training.tasks.table import TASKS, task_module


def ask(model: str, inputs: str | None, signature: str, url: str, timeout: float) -> dict[str, Any]:
    """The outputs as JSON values. inputs: a JSON object, @FILE with one, or None for the task's own example.

    Raises InputError for inputs that are no JSON object, and the client's error when the server refuses."""
    from serving.client import GrpcClient, RestClient

    arrays = _example(model, signature) if inputs is None else _given(inputs)
    secure = url.removeprefix("grpc://")
    client = GrpcClient(secure, timeout=timeout) if url.startswith("grpc://") else RestClient(url, timeout=timeout)
    with client:
        outputs = client.predict(model, arrays, signature_name=signature)
    return {name: _plain(np.asarray(value)) for name, value in outputs.items()}


def _example(model: str, signature: str) -> dict[str, Any]:
    if model not in TASKS:
        raise InputError(f"{model!r} has no example of its own; give --inputs; `seqzoo info {model}` says which.")
    module = task_module(model)
    examples = module.prepare(module.RUN, None).examples()
    if signature not in examples:
        raise InputError(f"{model!r} has no example for {signature!r}; it has some for {', '.join(examples)}.")
    return dict(examples[signature])


def _given(inputs: str) -> dict[str, Any]:
    try:
        text = Path(inputs[1:]).read_text(encoding="utf-8") if inputs.startswith("@") else inputs
        given = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"--inputs {inputs[:60]} cannot be read as JSON ({error}); give an object.") from error
    if not isinstance(given, dict):
        raise InputError(f"--inputs holds a {type(given).__name__}; expected a JSON object, one value for each input.")
    return given


def _plain(array: np.ndarray) -> Any:
    if array.dtype == object or array.dtype.kind == "S":
        decode = np.vectorize(lambda value: value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
        return decode(array).tolist() if array.size else array.tolist()
    return array.tolist()
