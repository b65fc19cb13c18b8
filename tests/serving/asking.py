"""How the tests ask: with the stock stubs of tensorflow-serving-api and with requests."""

import threading
import time

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

SECONDS = 30


class Grpc:
    """The stock stubs on one channel."""

    def __init__(self, address):
        # a pool of its own: in the common one, a second server at one address waits out the backoff of the first's end
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, model, inputs, **spec):
        """Output alias -> array."""
        response = self.prediction.Predict(predict_request(model, inputs, **spec), timeout=SECONDS)
        return {alias: tf.make_ndarray(tensor) for alias, tensor in response.outputs.items()}

    def status(self, model, version=None):
        """Version -> state number."""
        request = get_model_status_pb2.GetModelStatusRequest()
        fill(request.model_spec, model, version=version)
        found = self.model.GetModelStatus(request, timeout=SECONDS).model_version_status
        return {entry.version: entry.state for entry in found}

    def metadata(self, model, fields=("signature_def",), **spec):
        """The response as it is."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        fill(request.model_spec, model, **spec)
        return self.prediction.GetModelMetadata(request, timeout=SECONDS)


class Rest:
    """The REST API of one server."""

    def __init__(self, port):
        self.root = f"http://localhost:{port}"

    def get(self, path):
        return requests.get(self.root + path, timeout=SECONDS)

    def post(self, path, body, **headers):
        content = {"json": body} if isinstance(body, dict) else {"data": body}
        return requests.post(self.root + path, headers=headers, timeout=SECONDS, **content)

    def predict(self, model, body, of=""):
        return self.post(f"/v1/models/{model}{of}:predict", body)

    def error(self, model, body, of=""):
        """(status, error text) of a predict that fails."""
        response = self.predict(model, body, of)
        assert response.headers["Content-Type"] == "application/json"
        return response.status_code, response.json()["error"]


def fill(model_spec, model, version=None, label=None, signature=""):
    model_spec.name = model
    if version is not None:
        model_spec.version.value = version
    if label is not None:
        model_spec.version_label = label
    model_spec.signature_name = signature


def predict_request(model, inputs, output_filter=(), **spec):
    """inputs: alias -> array or TensorProto."""
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    fill(request.model_spec, model, **spec)
    for alias, value in inputs.items():
        proto = value if hasattr(value, "tensor_shape") else tf.make_tensor_proto(np.asarray(value))
        request.inputs[alias].CopyFrom(proto)
    return request


def refused(call, *args, **kwargs):
    """(code's name, text) of a gRPC call that fails."""
    try:
        answer = call(*args, **kwargs)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError(f"was not refused: {answer}")


def wait_until(condition, seconds=SECONDS):
    """Asks until the condition holds; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class Background:
    """Calls a function again and again in a thread, until the block ends; `errors` has what it raised."""

    def __init__(self, function):
        self.function = function
        self.calls = 0
        self.errors = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            try:
                self.function()
                self.calls += 1
            except Exception as error:
                self.errors.append(error)
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
