"""A step as each way to ask for it has it on the wire, and what it must be answered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving import tensor_proto

Arrays = Mapping[str, np.ndarray]
Body = Callable[[int, int], bytes]  # (number of the sequence, index of the step)
SERVED = "classifier"
CHECKED = 3  # steps whose answers are compared
TOLERANCE = 1e-4
HELD, PASSED, ALONE, WRITTEN = "held", "passed", "alone", "hand-written"
ID, CONTROL, INDEX = b"s99999999", b"\xf1\xf2\xf3\xf4", b"\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8"


@dataclass(frozen=True)
class Model:
    """A model, its request, and the answers of the first steps.

    data: the inputs of a step; states: the zeros that a client begins with; output: the alias of what is answered."""

    name: str
    data: Arrays
    states: Arrays
    output: str
    expected: tuple[np.ndarray, ...]


def model(name: str, folder: Path) -> Model:
    """By TensorFlow's own loader, from a version folder."""
    rng = np.random.default_rng(1)
    data: dict[str, np.ndarray]
    if name == "lstm":
        data = {"x": rng.normal(size=(1, 1, 16)).astype(np.float32)}
    else:
        data = {"tokens": np.array([[5]], np.int32), "lengths": np.array([1], np.int32)}
    loaded = tf.saved_model.load(str(folder))
    call = loaded.signatures["step"]
    specs = call.structured_input_signature[1]
    states = {a: np.zeros([1, *s.shape[1:]], np.float32) for a, s in specs.items() if a.startswith("state_")}
    output = next(alias for alias in call.structured_outputs if not alias.startswith("state_"))
    expected, now = [], {alias: tf.constant(array) for alias, array in states.items()}
    for _ in range(CHECKED):
        answer = call(**{alias: tf.constant(array) for alias, array in data.items()}, **now)
        expected.append(answer[output].numpy())
        now = {alias: answer[alias] for alias in states}
    return Model(name, data, states, output, tuple(expected))


def body(found: Model, way: str, form: str, served: str = SERVED) -> Body:
    """The request of a step. With `passed` the states are always the same: what a client does to take them from one
    answer into the next request costs nothing here. served: the model's name on the server, for gRPC."""
    if way == WRITTEN:
        return _written(found)
    inputs = {**found.data, **(found.states if way == PASSED else {})}
    signature = "alone" if way == ALONE else "step"
    if form == "rest":
        return _rest(inputs, signature, way == HELD)
    return _grpc(served, inputs, signature, way == HELD)


def _written(found: Model) -> Body:
    values = json.dumps(next(iter(found.data.values())).reshape(-1).tolist()).encode()
    return lambda number, index: b'{"id": "s%08d", "x": %b}' % (number, values)


def _rest(inputs: Arrays, signature: str, held: bool) -> Body:
    arrays = json.dumps({alias: array.tolist() for alias, array in inputs.items()})[:-1].encode()
    head = f'{{"signature_name": "{signature}", "inputs": '.encode() + arrays
    if not held:
        whole = head + b"}}"
        return lambda number, index: whole
    special = b', "sequence_id": ["s%08d"], "sequence_control_input": [%d], "sequence_step": [%d]}}'
    return lambda number, index: head + special % (number, index == 0, index)


def _grpc(served: str, inputs: Arrays, signature: str, held: bool) -> Body:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = served, signature
    for alias, array in inputs.items():
        request.inputs[alias].CopyFrom(tensor_proto.encode(array, as_content=True))
    if not held:
        whole = request.SerializeToString()
        return lambda number, index: whole
    special: dict[str, np.ndarray[Any, Any]] = {
        "sequence_id": np.array([ID], object),
        "sequence_control_input": np.frombuffer(CONTROL, np.uint32),
        "sequence_step": np.frombuffer(INDEX, np.int64),
    }
    for alias, array in special.items():
        request.inputs[alias].CopyFrom(tensor_proto.encode(array, as_content=True))
    template = request.SerializeToString()
    at_id, at_index = template.index(ID), template.index(INDEX)
    at_control = next(at for at in range(len(template)) if template[at : at + 4] == CONTROL and at != at_index)

    def patched(number: int, index: int) -> bytes:
        message = bytearray(template)
        message[at_id : at_id + 9] = b"s%08d" % number
        message[at_control : at_control + 4] = int(index == 0).to_bytes(4, "little")
        message[at_index : at_index + 8] = index.to_bytes(8, "little")
        return bytes(message)

    return patched


def check(found: Model, way: str, form: str, index: int, answer: bytes) -> None:
    """Raises ArithmeticError for a wrong answer of this step of a new sequence."""
    if way in (PASSED, ALONE):
        index = 0
    expected = found.expected[index]
    if form == "grpc":
        value = tensor_proto.decode(predict_pb2.PredictResponse.FromString(answer).outputs[found.output])
    else:
        content = json.loads(answer)
        outputs = content["y"] if way == WRITTEN else content["outputs"]
        value = np.array(outputs[found.output] if isinstance(outputs, dict) else outputs, np.float32)
    if value.size != expected.size or not np.allclose(value.reshape(expected.shape), expected, atol=TOLERANCE):
        raise ArithmeticError(f"{way} over {form}, step {index}: {value}, expected {expected}")
