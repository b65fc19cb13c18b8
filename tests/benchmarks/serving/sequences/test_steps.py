"""The requests of the benchmark, read by the library that a server reads them with; connections by a real server."""

import json

import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.sequences.load import Live, Load
from benchmarks.serving.sequences.steps import Model, body, check
from benchmarks.serving.sequences.wire import unchunked
from serving import ModelServer, tensor_proto
from tests.serving.sequences import models

X = np.array([[[1.0, 2.0]]], np.float32)
MODEL = Model("lstm", {"x": X}, {"state_h": np.zeros((1, 2), np.float32)}, "y", (X, 2 * X, 3 * X))


def grpc_inputs(way, number, index):
    request = predict_pb2.PredictRequest.FromString(body(MODEL, way, "grpc")(number, index))
    return request.model_spec.signature_name, {a: tensor_proto.decode(p).tolist() for a, p in request.inputs.items()}


def test_a_step_over_grpc_says_which_sequence_and_which_step():
    first, later = grpc_inputs("held", 7, 0), grpc_inputs("held", 12345678, 300)
    special = {"sequence_id": [b"s00000007"], "sequence_control_input": [1], "sequence_step": [0]}
    assert first == ("step", {"x": X.tolist(), **special})
    special = {"sequence_id": [b"s12345678"], "sequence_control_input": [0], "sequence_step": [300]}
    assert later == ("step", {"x": X.tolist(), **special})


def test_a_step_over_rest_says_the_same():
    request = json.loads(body(MODEL, "held", "rest")(7, 3))
    special = {"sequence_id": ["s00000007"], "sequence_control_input": [0], "sequence_step": [3]}
    assert request == {"signature_name": "step", "inputs": {"x": X.tolist(), **special}}


@pytest.mark.parametrize(
    ("way", "signature", "aliases"), [("passed", "step", {"x", "state_h"}), ("alone", "alone", {"x"})]
)
def test_a_call_without_a_sequence_has_none_of_it(way, signature, aliases):
    found, inputs = grpc_inputs(way, 1, 2)
    assert (found, set(inputs)) == (signature, aliases)
    request = json.loads(body(MODEL, way, "rest")(1, 2))
    assert (request["signature_name"], set(request["inputs"])) == (signature, aliases)


def test_a_wrong_answer_is_seen():
    check(MODEL, "hand-written", "rest", 1, json.dumps({"y": [[2.0, 4.0]]}).encode())
    with pytest.raises(ArithmeticError, match="step 2"):
        check(MODEL, "hand-written", "rest", 2, json.dumps({"y": [[2.0, 4.0]]}).encode())


def test_a_chunked_body_is_put_together():
    assert unchunked(b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n") == b"abc0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("running")
    models.write(models.Running(1), folder / "1")
    with ModelServer.on_free_ports(model_name="running", model_base_path=str(folder)) as found:
        yield found


@pytest.mark.parametrize("form", ["grpc", "rest"])
def test_connections_ask_a_real_server_for_each_step_once(form, server):
    model = Model("running", {"x": np.ones((1, 1, 2), np.float32)}, {}, "y", ())
    port = server.grpc_port if form == "grpc" else server.rest_port
    path = "/v1/models/running:predict"
    load = Load(form, port, path, body(model, "held", form, "running"))
    live = Live(range(20) if form == "grpc" else range(20, 40))
    load.start(live, 4)
    assert set(live.steps.values()) == {1}
    figures = load.measure(live, 4, 0.2)
    assert figures.errors == 0
    assert sum(live.steps.values()) == 20 + figures.requests
    live.steps[next(iter(live.steps))] += 5
    assert load.measure(live, 1, 5).errors == 1  # it is ahead of its turn
