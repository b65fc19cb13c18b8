"""The requests in every form that a server takes, and whether an answer to one is right."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.contenders import PORT, PREDICT, SEQUENCE, Contender
from benchmarks.serving.load import frame
from serving import tensor_proto

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Question:
    """A request and its answer. signature: empty for the default one; expected: the probabilities [1, 5]."""

    inputs: Mapping[str, NDArray[np.float32]]
    expected: NDArray[np.float32]
    signature: str = ""

    def message(self) -> Any:
        """As a PredictRequest."""
        found = predict_pb2.PredictRequest()
        found.model_spec.name, found.model_spec.signature_name = "classifier", self.signature
        for alias, array in self.inputs.items():
            found.inputs[alias].CopyFrom(tensor_proto.encode(array, as_content=True))
        return found

    def bodies(self) -> dict[str, bytes]:
        """By form: rest, rows of it, the open inference protocol's infer, grpc."""
        inputs = {alias: array.tolist() for alias, array in self.inputs.items()}
        named = {"signature_name": self.signature, "inputs": inputs}
        tensors = [
            {"name": alias, "shape": list(array.shape), "datatype": "FP32", "data": array.reshape(-1).tolist()}
            for alias, array in self.inputs.items()
        ]
        return {
            "rest": json.dumps(named if self.signature else {"instances": inputs["x"]}).encode(),
            "rows": json.dumps({"inputs": [{alias: rows[0] for alias, rows in inputs.items()}]}).encode(),
            "infer": json.dumps({"inputs": [{**t, "parameters": {"content_type": "np"}} for t in tensors]}).encode(),
            "grpc": frame(self.message().SerializeToString()),
        }


class Questions:
    """Asked of every contender, by name."""

    def __init__(self, folder: Path, questions: Mapping[str, Question]) -> None:
        """folder: where the bodies lie, for the programs that make the load."""
        self._questions = questions
        self._answer_bytes = 1
        self._files: dict[tuple[str, str], Path] = {}
        for name, question in questions.items():
            for form, body in question.bodies().items():
                self._files[name, form] = folder / f"{name}-{form}.body"
                self._files[name, form].write_bytes(body)

    def body(self, contender: Contender, request: str = SEQUENCE) -> Path:
        """The file with the request as this contender takes it."""
        last = contender.paths[request].rpartition("/")[2]
        return self._files[request, last if last in ("infer", "rows") else contender.form]

    @property
    def answer_bytes(self) -> int:
        """Length of the last answer over gRPC, in its frame."""
        return self._answer_bytes

    def answered(self, contender: Contender, request: str = SEQUENCE) -> bool:
        """Asks once; False when there is no answer yet. Raises ArithmeticError for a wrong one."""
        expected = self._questions[request].expected
        try:
            found = self._over_grpc(request) if contender.form == "grpc" else self._over_rest(contender, request)
        except (OSError, urllib.error.URLError, grpc.RpcError):
            return False
        if contender.name != "echo" and not np.allclose(found, expected, atol=TOLERANCE):
            raise ArithmeticError(f"{contender.name} answers {found}, expected {expected}")
        return True

    def _over_rest(self, contender: Contender, request: str) -> Any:
        body = self.body(contender, request).read_bytes()
        path = contender.paths[request]
        asked = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            found = json.load(response)
        return np.reshape(np.array(probabilities(found), np.float32), (1, 5))

    def _over_grpc(self, request: str) -> Any:
        with grpc.insecure_channel(f"127.0.0.1:{PORT + 1}") as channel:
            content = self._questions[request].message().SerializeToString()
            answer = channel.unary_unary(PREDICT)(content, timeout=5, wait_for_ready=False)
        self._answer_bytes = len(frame(answer))
        if not answer.strip(b"\0"):
            return None
        response = predict_pb2.PredictResponse.FromString(answer)
        return np.array(response.outputs["probabilities"].float_val, np.float32).reshape(1, 5)


def probabilities(found: Any) -> Any:
    """Those of an answer as JSON, in the form of any contender."""
    if isinstance(found, list):
        return found[0]["probabilities"] if isinstance(found[0], dict) else found
    if "predictions" in found:
        return found["predictions"]
    outputs = found["outputs"]
    return outputs["probabilities"] if isinstance(outputs, dict) else outputs[0]["data"]
