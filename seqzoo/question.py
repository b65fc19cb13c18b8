"""One question to a served model over both faces, with nothing but stock clients."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

Arrays = Mapping[str, np.ndarray]
SECONDS = 30.0


def over_grpc(address: str, model: str, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs of `serving_default`, by the stub of tensorflow-serving-api; address host:port."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    with grpc.insecure_channel(address) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=SECONDS)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def over_http(url: str, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs of the model whose `:predict` URL is given, by a plain HTTP request."""
    body = json.dumps({"inputs": {name: array.tolist() for name, array in inputs.items()}}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=SECONDS) as response:
        outputs: dict[str, Any] = json.load(response)["outputs"]
    return {name: np.array(value) for name, value in outputs.items()}


def curl_line(url: str, inputs: Arrays, last: int) -> str:
    """A command that asks the same of the last few time steps, short enough to read and to change."""
    row = {name: array[0, -last:].round(2).tolist() for name, array in inputs.items() if array.ndim > 1}
    # float32 has more digits than a reader wants: 0.1 is read back from its shortest form
    row = {name: [float(f"{value:g}") for value in values] for name, values in row.items()}
    return f"curl -d '{json.dumps({'instances': [{**row, 'lengths': last}]})}' {url}"
