"""The request in every form that a server takes, and whether an answer to it is right."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.contenders import PORT, Contender
from benchmarks.serving.load import frame
from serving import tensor_proto

TOLERANCE = 1e-4


class Questions:
    """One sequence, asked of every contender."""

    def __init__(self, folder: Path, x: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
        """folder: where the bodies lie, for the programs that make the load; expected: the right answer [1, 5]."""
        self._expected = expected
        self._message = predict_pb2.PredictRequest()
        self._message.model_spec.name = "classifier"
        self._message.inputs["x"].CopyFrom(tensor_proto.encode(x, as_content=True))
        values = x.tolist()
        tensor = {"name": "x", "shape": list(x.shape), "datatype": "FP32", "data": x.reshape(-1).tolist()}
        bodies = {
            "rest": json.dumps({"instances": values}).encode(),
            "infer": json.dumps({"inputs": [{**tensor, "parameters": {"content_type": "np"}}]}).encode(),
            "grpc": frame(self._message.SerializeToString()),
        }
        self._files = {name: folder / f"{name}.body" for name in bodies}
        for name, body in bodies.items():
            self._files[name].write_bytes(body)

    def body(self, contender: Contender) -> Path:
        """The file with the request as this contender takes it."""
        return self._files["infer" if contender.path.endswith("/infer") else contender.form]

    def answered(self, contender: Contender) -> bool:
        """Asks once; False when there is no answer yet. Raises ArithmeticError for a wrong one."""
        try:
            found = self._over_grpc() if contender.form == "grpc" else self._over_rest(contender)
        except (OSError, urllib.error.URLError, grpc.RpcError):
            return False
        if contender.name != "echo" and not np.allclose(found, self._expected, atol=TOLERANCE):
            raise ArithmeticError(f"{contender.name} answers {found}, expected {self._expected}")
        return True

    def _over_rest(self, contender: Contender) -> Any:
        body = self.body(contender).read_bytes()
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}{contender.path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            found = json.load(response)
        if isinstance(found, dict):
            found = found["outputs"][0]["data"] if "outputs" in found else found["predictions"]
        return np.reshape(np.array(found, np.float32), (1, 5))

    def _over_grpc(self) -> Any:
        with grpc.insecure_channel(f"127.0.0.1:{PORT + 1}") as channel:
            ask = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            answer = ask(self._message.SerializeToString(), timeout=5, wait_for_ready=False)
        if not answer.strip(b"\0"):
            return None
        response = predict_pb2.PredictResponse.FromString(answer)
        return np.array(response.outputs["probabilities"].float_val, np.float32).reshape(1, 5)
