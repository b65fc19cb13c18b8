"""Callers that give up while their call waits for its batch, on both faces."""

import threading

import numpy as np
import pytest

from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, predict_request, refused, wait_until

ONE = {"x": np.float32([1])}
BODY = {"signature_name": "echo_float32", "instances": [1]}


@pytest.fixture
def server(tmp_path, written):
    """It runs nothing before two calls are there."""
    (tmp_path / "kinds").mkdir()
    exports.copy(written["kinds"], tmp_path / "kinds" / "1")
    parameters = tmp_path / "batching"
    parameters.write_text("max_batch_size { value: 2 } batch_timeout_micros { value: 1000000000 }")
    with ModelServer.on_free_ports(
        model_name="kinds", model_base_path=str(tmp_path / "kinds"), enable_batching=True,
        batching_parameters_file=str(parameters), rest_api_timeout_in_ms=300,
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def stub(server):
    return Grpc(f"localhost:{server.grpc_port}")


def in_use(server):
    """How many calls hold the version."""
    return next(iter(server.manager._harnesses.values()))._running


def the_next_call_is_answered(stub):
    assert stub.predict("kinds", {"x": np.float32([2])}, signature="echo_float32")["y"].tolist() == [2]


def test_a_deadline_ends_the_wait_and_the_version_stays_for_the_run(server, stub):
    request = predict_request("kinds", ONE, signature="echo_float32")
    assert refused(stub.prediction.Predict, request, timeout=0.3)[0] == "DEADLINE_EXCEEDED"
    assert in_use(server) == 1
    the_next_call_is_answered(stub)
    wait_until(lambda: in_use(server) == 0)


def test_a_caller_that_goes_leaves_the_version_when_the_run_has_ended(server, stub):
    request = predict_request("kinds", ONE, signature="echo_float32")
    call = stub.prediction.Predict.future(request, timeout=30)
    wait_until(lambda: in_use(server) == 1)
    call.cancel()
    wait_until(lambda: 'status="CANCELLED"' in server.metrics.text())
    assert in_use(server) == 1
    the_next_call_is_answered(stub)
    wait_until(lambda: in_use(server) == 0)


def test_the_time_limit_of_http_ends_the_wait(server, stub):
    assert Rest(server.rest_port).error("kinds", BODY) == (504, "Timed out waiting for notification")
    assert in_use(server) == 1
    the_next_call_is_answered(stub)
    wait_until(lambda: in_use(server) == 0)


def test_a_call_that_cannot_begin_leaves_the_version(server, stub):
    three = predict_request("kinds", {"x": np.float32([1, 2, 3])}, signature="echo_float32")
    assert refused(stub.prediction.Predict, three, timeout=30)[1].startswith("Task size 3 is larger")
    assert Rest(server.rest_port).error("kinds", BODY | {"instances": [1, 2, 3]})[1].startswith("Task size 3 is larger")
    assert in_use(server) == 0


def test_no_thread_waits_for_a_joined_call(server, stub):
    request = predict_request("kinds", ONE, signature="echo_float32")
    before = set(threading.enumerate())
    calls = [stub.prediction.Predict.future(request, timeout=30) for _ in range(21)]
    wait_until(lambda: sum(call.done() for call in calls) >= 20)
    assert not [each.name for each in set(threading.enumerate()) - before if each.name.startswith("grpc_")]
    the_next_call_is_answered(stub)
    assert {call.result().outputs["y"].float_val[0] for call in calls} == {1}
