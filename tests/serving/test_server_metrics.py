import re

import numpy as np
import pytest
import requests
from tensorflow_serving.apis import classification_pb2

from serving.errors import ServingError
from serving.server import METRICS_PATH, ModelServer, monitoring_path
from serving.server_metrics import ServerMetrics
from tests.serving.asking import Grpc, Rest, refused
from tests.serving.test_inference import CLASSIFY, REGRESS, multi, request
from tests.serving.test_server import reload_request

X = {"x": np.float32([[1]])}


@pytest.fixture
def monitored(tmp_path, repository):
    """A server of tf1 that exports its metrics."""
    path = tmp_path / "monitoring"
    path.write_text("prometheus_config { enable: true }")
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "monitoring_config_file": str(path)}
    with ModelServer.on_free_ports(**flags) as server:
        yield server


def scrape(server):
    response = requests.get(f"http://localhost:{server.rest_port}{METRICS_PATH}", timeout=30)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain"
    return response.text


def samples(text):
    """Name with labels -> value; histograms by their count."""
    return {
        name: value for name, value in re.findall(r"^(\S+\{.*\}) (\S+)$", text, re.MULTILINE) if "_bucket" not in name
    }


def test_before_any_call_there_are_the_types_but_not_the_batch_sizes():
    assert ServerMetrics().text() == "".join(
        f"# TYPE :tensorflow:serving:{name} {kind}\n"
        for name, kind in [
            ("request_count", "counter"),
            ("request_latency", "histogram"),
            ("runtime_latency", "histogram"),
            ("request_example_counts", "histogram"),
            ("request_example_count_total", "counter"),
            ("request_log_count", "counter"),
            ("model_warmup_latency", "histogram"),
            ("model_warmup_records_read", "counter"),
            ("batching_session:queuing_latency", "histogram"),
            ("batching_session:wrapped_run_count", "counter"),
        ]
    )


def test_latencies_have_the_stock_bounds():
    metrics = ServerMetrics()
    metrics.answered("m", "OK", "Predict", "GRPC", 15e-6)
    lines = [line for line in metrics.text().splitlines() if "request_latency_bucket" in line]
    bounds = [re.search(r'le="(.*)"', line)[1] for line in lines]
    assert bounds[:5] == ["10", "18", "32.4", "58.32", "104.976"]
    assert (len(bounds), bounds[-1]) == (34, "+Inf")
    assert lines[1].endswith(" 1")


def test_calls_are_counted_by_model_and_status_and_timed_when_they_succeed(monitored):
    stub, rest = Grpc(f"localhost:{monitored.grpc_port}"), Rest(monitored.rest_port)
    stub.predict("tf1", X)
    refused(stub.predict, "nope", X)
    stub.prediction.Classify(request(classification_pb2.ClassificationRequest, 1, signature="classify_x"), timeout=30)
    tasks = multi(("tf1", "classify_x", CLASSIFY), ("tf1", "regress_x", REGRESS), values=(1, 2, 3))
    stub.prediction.MultiInference(tasks, timeout=30)
    rest.predict("tf1", {"instances": [[1]]})
    rest.get("/v1/models/tf1")
    rest.get("/v1/models/lost")
    rest.get("/v1/nothing")
    found = samples(scrape(monitored))
    prefix = ":tensorflow:serving:"
    expected = {
        'request_count{model_name="tf1",status="OK"}': "4",
        'request_count{model_name="nope",status="NOT_FOUND"}': "1",
        'request_count{model_name="lost",status="NOT_FOUND"}': "1",
        'request_count{model_name="",status="INVALID_ARGUMENT"}': "1",
        'request_latency_count{model_name="tf1",API="Predict",entrypoint="GRPC"}': "1",
        'request_latency_count{model_name="tf1",API="Classify",entrypoint="GRPC"}': "1",
        'request_latency_count{model_name="tf1",API="predict",entrypoint="REST"}': "1",
        'request_latency_count{model_name="tf1",API="",entrypoint="REST"}': "1",
        'runtime_latency_count{model_name="tf1",API="Predict",runtime="TF1"}': "2",
        'runtime_latency_count{model_name="tf1",API="Classify",runtime="TF1"}': "1",
        'runtime_latency_count{model_name="tf1",API="MultiInference",runtime="TF1"}': "1",
        'request_example_counts_count{model="tf1"}': "1",
        'request_example_count_total{model="tf1"}': "3",
    }
    for name, value in expected.items():
        assert found.get(prefix + name) == value, name
    assert not [name for name in found if "latency" in name and "nope" in name]


def test_the_metrics_path_takes_any_method_but_no_query(monitored):
    root = f"http://localhost:{monitored.rest_port}{METRICS_PATH}"
    assert requests.post(root, timeout=30).status_code == 200
    response = requests.get(f"{root}?x=1", timeout=30)
    assert (response.status_code, response.text) == (
        400,
        f"Unexpected path: {METRICS_PATH}?x=1. Should be {METRICS_PATH}",
    )


def test_without_the_file_the_path_is_404(rest):
    assert rest.get(METRICS_PATH).status_code == 404


def test_a_reload_reports_by_how_much_metrics_grew(monitored, repository):
    stub = Grpc(f"localhost:{monitored.grpc_port}")
    names = ["/tensorflow/serving/request_count", "/no/such"]
    sent = reload_request(("tf1", repository / "tf1", ""), metric_names=names)
    found = stub.model.HandleReloadConfigRequest(sent, timeout=60).metric
    assert [(metric.name, metric.int64_value_increase) for metric in found] == [(names[0], 0), (names[1], 0)]


def config(tmp_path, text):
    path = tmp_path / "monitoring"
    path.write_text(text)
    return str(path)


def test_the_file_says_whether_and_where(tmp_path):
    assert monitoring_path("") == ""
    assert monitoring_path(config(tmp_path, "prometheus_config {}")) == ""
    assert monitoring_path(config(tmp_path, "prometheus_config { enable: true }")) == METRICS_PATH
    assert monitoring_path(config(tmp_path, 'prometheus_config { enable: true path: "/m" }')) == "/m"


def test_a_file_that_does_not_parse_leaves_http_off_and_grpc_on(tmp_path, repository):
    path = config(tmp_path, "prometheus {")
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "monitoring_config_file": path}
    with ModelServer.on_free_ports(**flags) as server:
        assert isinstance(server.http_error, ServingError)
        assert server.http_error.message == f"Invalid protobuf file: '{path}'"
        assert server.rest_port == 0
        assert Grpc(f"localhost:{server.grpc_port}").predict("tf1", X)["y"] == 2.5


def test_preflights_of_browsers_are_counted_as_calls_of_no_model(monitored):
    url = f"http://localhost:{monitored.rest_port}/v1/models/tf1:predict"
    assert requests.options(url, headers={"Origin": "http://a"}, timeout=30).status_code == 200
    refused_one = requests.options(url, timeout=30)
    assert (refused_one.status_code, refused_one.content) == (400, b"")
    found = samples(scrape(monitored))
    prefix = ":tensorflow:serving:"
    assert found[prefix + 'request_count{model_name="",status="OK"}'] == "1"
    assert found[prefix + 'request_count{model_name="",status="FAILED_PRECONDITION"}'] == "1"
    assert found[prefix + 'request_latency_count{model_name="",API="",entrypoint="REST"}'] == "1"
