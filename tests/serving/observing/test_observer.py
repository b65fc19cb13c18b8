"""Ids and log lines of requests, on both faces of a real server."""

import json
import logging
import re

import grpc
import numpy as np
import pytest
import requests
from tensorflow_serving.apis import model_management_pb2

from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import predict_request, wait_until

X = {"x": np.float32([[1]])}
MADE = re.compile("[0-9a-f]{16}")


def over_grpc(ask, method, request, given=None):
    """(the id that came back, whether the call succeeded)."""
    metadata = () if given is None else (("x-request-id", given),)
    try:
        _, call = method.with_call(request, timeout=30, metadata=metadata)
        ok = True
    except grpc.RpcError as error:
        call, ok = error, False
    return dict(call.trailing_metadata()).get("x-request-id"), ok


def test_a_grpc_call_carries_its_id_back_good_or_bad(ask):
    predict = ask.prediction.Predict
    good, bad = predict_request("scale", X), predict_request("nope", X)
    assert over_grpc(ask, predict, good, "mine-1") == ("mine-1", True)
    assert over_grpc(ask, predict, bad, "mine-2") == ("mine-2", False)
    for request, works in ((good, True), (bad, False)):
        found, ok = over_grpc(ask, predict, request)
        assert MADE.fullmatch(found)
        assert ok is works
    found, _ = over_grpc(ask, predict, good, "not sane")
    assert MADE.fullmatch(found)
    bad_reload = model_management_pb2.ReloadConfigRequest()
    assert over_grpc(ask, ask.model.HandleReloadConfigRequest, bad_reload, "mine-3") == ("mine-3", False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/scale", 200),
        ("GET", "/v1/models/nope", 404),
        ("POST", "/v1/models/scale:predict", 400),
        ("PUT", "/v1/odd", 400),
        ("GET", "/elsewhere", 404),
        ("TRACE", "/v1/models/scale", 501),
    ],
)
def test_an_http_answer_carries_the_id_good_or_bad(rest, method, path, status):
    given = requests.request(method, rest.root + path, headers={"X-Request-Id": "mine"}, timeout=30)
    made = requests.request(method, rest.root + path, timeout=30)
    assert (given.status_code, given.headers["x-request-id"]) == (status, "mine")
    assert MADE.fullmatch(made.headers["x-request-id"])


@pytest.fixture
def lines(caplog):
    """The fields of the lines of requests with this id, when it was answered."""
    caplog.set_level(logging.DEBUG, "serving.requests")

    def of(given):
        found = wait_until(lambda: [r for r in caplog.records if getattr(r, "fields", {}).get("request_id") == given])
        return [(record.levelname, record.getMessage(), dict(record.fields)) for record in found]

    return of


def test_each_request_is_one_line_at_debug_with_what_ran(ask, rest, lines):
    over_grpc(ask, ask.prediction.Predict, predict_request("scale", X, label="stable"), "g-1")
    ((level, text, fields),) = lines("g-1")
    assert (level, fields.pop("ms") > 0) == ("DEBUG", True)
    assert fields == {
        "request_id": "g-1", "face": "GRPC", "call": "Predict", "model": "scale", "version": 1, "label": "stable",
        "status": "OK",
    }  # fmt: skip
    assert text.startswith("request request_id=g-1 face=GRPC call=Predict model=scale version=1 label=stable status=OK")

    body = {"signature_name": "scalar", "inputs": 2}
    requests.post(f"{rest.root}/v1/models/kinds:predict", json=body, headers={"x-request-id": "r-1"}, timeout=30)
    ((_, _, fields),) = lines("r-1")
    assert fields.pop("ms") > 0
    assert fields == {
        "request_id": "r-1", "face": "REST", "call": "predict", "model": "kinds", "version": 1, "signature": "scalar",
        "status": "OK", "http": 200,
    }  # fmt: skip


def test_a_call_that_fails_says_why_and_no_caller_can_forge_a_line(rest, lines):
    path = "/v1/models/no%0Asuch%20status=OK"
    requests.get(rest.root + path, headers={"x-request-id": "r-2"}, timeout=30)
    ((_, text, fields),) = lines("r-2")
    assert (fields["status"], fields["http"]) == ("NOT_FOUND", 404)
    assert "\n" not in text
    assert r'model="no\nsuch status=OK" status=NOT_FOUND' in text
    assert "error=" in text
    requests.get(rest.root + "/elsewhere", headers={"x-request-id": "r-3"}, timeout=30)
    ((_, _, fields),) = lines("r-3")
    assert (fields["status"], fields["http"]) == ("NOT_FOUND", 404)


def test_a_slow_request_is_a_warning_and_a_quick_one_is_not(tmp_path, written, caplog):
    caplog.set_level(logging.INFO, "serving.requests")
    (tmp_path / "kinds").mkdir()
    exports.copy(written["kinds"], tmp_path / "kinds" / "1")
    flags = {"model_name": "kinds", "model_base_path": str(tmp_path / "kinds")}
    with ModelServer.on_free_ports(slow_request_seconds=0.5, **flags) as server:
        url = f"http://localhost:{server.rest_port}/v1/models/kinds:predict"
        for steps, given in ((1, "quick"), (400_000, "slow"), (800_000, "slower")):
            body = {"signature_name": "steps", "inputs": steps}
            answer = requests.post(url, json=body, headers={"x-request-id": given}, timeout=60)
            assert answer.ok
            if answer.elapsed.total_seconds() > 0.6:
                break
    found = [record for record in caplog.records if record.name == "serving.requests"]
    assert [(record.levelname, record.fields["request_id"]) for record in found][-1] == ("WARNING", given)
    assert "quick" not in [record.fields["request_id"] for record in found]
    assert found[-1].getMessage().startswith("slow request ")
    assert found[-1].fields["ms"] > 500


def test_nothing_is_logged_below_the_level(ask, caplog):
    caplog.set_level(logging.INFO, "serving.requests")
    over_grpc(ask, ask.prediction.Predict, predict_request("scale", X), "unseen")
    assert [record for record in caplog.records if record.name == "serving.requests"] == []


def test_the_fields_are_members_of_the_json_line():
    from serving.log import JsonFormatter

    record = logging.LogRecord("serving.requests", logging.DEBUG, "", 0, "request", (), None)
    record.fields = {"model": "m", "ms": 1.5}
    found = json.loads(JsonFormatter().format(record))
    assert (found["model"], found["ms"], found["level"]) == ("m", 1.5, "debug")


def test_a_preflight_without_an_origin_says_why_in_the_log_only(rest, lines):
    answer = requests.options(rest.root + "/v1/models/scale", headers={"x-request-id": "r-4"}, timeout=30)
    assert (answer.status_code, answer.content) == (400, b"")
    ((_, _, fields),) = lines("r-4")
    assert (fields["status"], fields["http"]) == ("FAILED_PRECONDITION", 400)
    assert fields["error"] == "Origin header is missing in CORS preflight"
