"""Spans, as a receiver of OTLP gets them."""

import gzip
import socket
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from serving.observing import tracing
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, predict_request, refused, wait_until

X = {"x": np.float32([[1]])}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def variables(monkeypatch):
    """Sets OTEL_ variables, with none from outside."""
    import os

    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    return lambda **values: [monkeypatch.setenv(f"OTEL_{name}", value) for name, value in values.items()]


@pytest.fixture
def receiver():
    """A receiver of OTLP over HTTP: its address, and the requests that came."""
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="no extra trace")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="no extra trace")
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            got.append((self.path, service.ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def base(tmp_path, written):
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    return {"model_name": "scale", "model_base_path": str(tmp_path / "scale"), "max_num_load_retries": 0}


def attributes(of):
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in of.attributes}


def test_each_request_is_a_span_in_the_trace_of_its_caller(base, receiver, variables):
    address, got = receiver
    variables(EXPORTER_OTLP_ENDPOINT=address, RESOURCE_ATTRIBUTES="deployment.environment=test")
    with ModelServer.on_free_ports(**base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        stub.prediction.Predict(predict_request("scale", X), timeout=30, metadata=(("traceparent", CALLER),))
        assert refused(stub.predict, "scale", {"x": np.int32([1])})[0] == "INVALID_ARGUMENT"
        url = f"http://localhost:{server.rest_port}/v1/models/scale:predict"
        headers = {"traceparent": CALLER, "x-request-id": "mine"}
        assert requests.post(url, json={"inputs": [1]}, headers=headers, timeout=30).ok
    spans = [span for _, r in got for rs in r.resource_spans for s in rs.scope_spans for span in s.spans]
    assert {path for path, _ in got} == {"/v1/traces"}
    (resource, *_) = [attributes(rs.resource) for _, r in got for rs in r.resource_spans]
    assert (resource["service.name"], resource["deployment.environment"]) == ("seqzoo", "test")
    by_call = {(span.name, attributes(span)["seqzoo.status"]): span for span in spans}
    assert set(by_call) == {("GRPC Predict", "OK"), ("GRPC Predict", "INVALID_ARGUMENT"), ("REST predict", "OK")}
    for key in (("GRPC Predict", "OK"), ("REST predict", "OK")):
        span = by_call[key]
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == tuple(CALLER.split("-")[1:3])
        assert span.kind == 2  # SERVER
        assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 30e9
        found = attributes(span)
        assert (found["seqzoo.model"], found["seqzoo.version"]) == ("scale", 1)
    assert attributes(by_call["REST predict", "OK"])["seqzoo.request_id"] == "mine"
    alone = by_call["GRPC Predict", "INVALID_ARGUMENT"]
    assert alone.parent_span_id == b""
    assert alone.trace_id.hex() != CALLER.split("-")[1]
    assert alone.status.code == 0  # the caller's fault is no error of the server


def test_a_line_in_the_log_names_the_trace(base, receiver, variables, caplog):
    variables(EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver[0]}/v1/traces")
    caplog.set_level("DEBUG", "serving.requests")
    with ModelServer.on_free_ports(**base) as server:
        url = f"http://localhost:{server.rest_port}/v1/models/scale"
        requests.get(url, headers={"traceparent": CALLER}, timeout=30)
        wait_until(lambda: [r for r in caplog.records if getattr(r, "fields", {}).get("call") == "status"])
    (record,) = [r for r in caplog.records if getattr(r, "fields", {}).get("call") == "status"]
    assert record.fields["trace_id"] == CALLER.split("-")[1]


def test_the_end_does_not_wait_for_a_receiver_that_is_not_there(base, variables, receiver, monkeypatch):
    with socket.socket() as silent:  # takes connections, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        variables(EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.2)
        server = ModelServer.on_free_ports(**base)
        server.start()
        assert requests.get(f"http://localhost:{server.rest_port}/v1/models/scale", timeout=30).ok
        ending = threading.Thread(target=server.stop)
        ending.start()
        ending.join(8)  # the exporter itself would try for 10 seconds and more
        assert not ending.is_alive()


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_only_variables_that_name_where_to_ask_for_traces(values, asked):
    assert tracing.asked_for(values) is asked


def test_no_variable_means_no_tracer(variables):
    assert tracing.tracer() is None


def test_a_protocol_that_is_not_spoken_is_said_once(variables, logged):
    variables(EXPORTER_OTLP_ENDPOINT="http://c:4317", EXPORTER_OTLP_PROTOCOL="grpc")
    assert tracing.tracer() is None
    assert logged() == ["No traces: OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; this server sends http/protobuf"]


def test_packages_that_are_absent_are_one_line_in_the_log():
    code = """
        import os, sys
        sys.modules.update(dict.fromkeys(["opentelemetry"]))
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://localhost:1"
        from serving.log import to_stderr
        to_stderr()
        from serving.observing import tracing
        assert tracing.tracer() is None
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
        assert tracing.tracer() is None
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "No traces, though OTEL_ variables ask for them" in line
    assert "extra `trace`" in line
