"""From a training to an answer over real processes and sockets, and to the next version without a failed request."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from models.zoo import entry
from tests.training import small
from training.pipeline import in_memory, train
from training.run import with_settings
from training.tasks import weather as weather_task

START_SECONDS = 90
PAUSE = 0.02  # between requests that go on beside a training, which wants the cores too


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A trained and served model: (home, result, requests by signature, gRPC address, HTTP address)."""
    home = tmp_path_factory.mktemp("line")
    patch = pytest.MonkeyPatch()
    patch.setenv("SEQZOO_HOME", str(home))
    run = with_settings(weather_task.RUN, small.SMALL)
    result = train(run, home / "repository", say=lambda text: None)
    examples = weather_task.prepare(run).examples()
    patch.undo()
    grpc_port, rest_port = free_ports(2)
    command = [
        sys.executable, "-m", "serving", f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--model_name=weather",
        f"--model_base_path={home / 'repository' / 'weather'}", "--file_system_poll_wait_seconds=1",
    ]  # fmt: skip
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://localhost:{rest_port}/v1/models/weather"
    try:
        wait_until(lambda: requests.get(url, timeout=5).ok, server, home / "server.log")
        yield home, result, examples, f"localhost:{grpc_port}", url
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, (home / "server.log").read_text()


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_until(holds, server, log):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if holds():
                return
        except requests.ConnectionError:
            pass
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def over_grpc(address, inputs, signature):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "weather", signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    with grpc.insecure_channel(address) as channel:
        return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)


def over_http(url, inputs, signature):
    body = {"signature_name": signature, "inputs": {name: array.tolist() for name, array in inputs.items()}}
    answer = requests.post(f"{url}:predict", data=json.dumps(body), timeout=30)
    assert answer.ok, answer.text
    return answer.json()["outputs"]


@pytest.mark.parametrize("signature", ["serving_default", "step"])
def test_both_faces_answer_as_the_model_in_memory(line, signature):
    _, result, examples, address, url = line
    inputs = examples[signature]
    expected = in_memory(entry("weather").signatures(result.model)[signature])(inputs)
    by_grpc = {name: tf.make_ndarray(t) for name, t in over_grpc(address, inputs, signature).outputs.items()}
    by_http = over_http(url, inputs, signature)
    assert set(by_grpc) == set(by_http) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(by_grpc[name], value, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(by_http[name], value, rtol=1e-5, atol=1e-5)


def test_a_row_of_three_days_is_enough_to_ask_with_curl(line):
    *_, url = line
    row = {"precipitation": [0, 2.5, 0], "temp_max": [7.2, 5.6, 5.6], "temp_min": [0.6, -1, -2.1], "wind": [2.6, 3, 3],
           "day_of_year": [363, 364, 365], "lengths": 3}  # fmt: skip
    with urllib.request.urlopen(f"{url}:predict", json.dumps({"instances": [row]}).encode(), timeout=30) as answer:
        (forecast,) = json.load(answer)["predictions"]
    assert set(forecast) == {"temp_max", "temp_min", "rain_probability"}
    assert 0 < forecast["rain_probability"] < 1


def test_a_wrong_length_is_the_callers_error_and_says_what_is_right(line):
    _, _, examples, address, url = line
    inputs = {**examples["serving_default"], "lengths": np.array([99], np.int32)}
    with pytest.raises(grpc.RpcError) as refused:
        over_grpc(address, inputs, "serving_default")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "lengths got [99]; each must be from 1 to the number of days, 7" in refused.value.details()
    body = {"inputs": {name: array.tolist() for name, array in inputs.items()}}
    answer = requests.post(f"{url}:predict", json=body, timeout=30)
    assert answer.status_code == 400
    assert "lengths got [99]" in answer.json()["error"]


def test_the_cook_is_served_from_where_it_was_exported(line, tmp_path):
    home, *_ = line
    done = small.here(home, "export", "cook", "--repository", str(tmp_path))
    assert done.returncode == 0, done.stderr
    grpc_port, rest_port = free_ports(2)
    flags = [f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--model_name=cook"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "serving", *flags, f"--model_base_path={tmp_path / 'cook'}"], stdout=log, stderr=log
        )
    url = f"http://localhost:{rest_port}/v1/models/cook"
    try:
        wait_until(lambda: requests.get(url, timeout=5).ok, server, tmp_path / "log")
        week = {"weather": [["rainy", "sunny", "rainy"]], "first_dish": ["pie"]}
        answer = requests.post(f"{url}:predict", json={"inputs": week}, timeout=30)
        assert answer.json() == {"outputs": [["burger", "burger", "chicken"]]}
        week["weather"][0][1] = "foggy"
        answer = requests.post(f"{url}:predict", json={"inputs": week}, timeout=30)
        assert answer.status_code == 400
        assert "weather got [foggy]; the known words are: sunny, rainy" in answer.json()["error"]
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_the_next_version_takes_over_with_requests_running_and_none_failing(line):
    home, _, examples, address, url = line
    inputs, stop = examples["serving_default"], threading.Event()
    versions, failures, answers = [], [], []

    def ask_grpc():
        while not stop.wait(PAUSE):
            try:
                versions.append(over_grpc(address, inputs, "serving_default").model_spec.version.value)
            except Exception as error:
                failures.append(error)

    def ask_http():
        while not stop.wait(PAUSE):
            try:
                answers.append(float(over_http(url, inputs, "serving_default")["temp_max"][0]))
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for ask in (ask_grpc, ask_http)]
    for thread in threads:
        thread.start()
    try:
        done = small.run(small.train_command(seed=1), home)
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + START_SECONDS
        while status(address) != {2: 30, 1: 50}:  # AVAILABLE, END
            assert time.monotonic() < deadline, status(address)
            time.sleep(0.1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert versions == sorted(versions), "never back to the old version"
    assert set(versions) == {1, 2}
    assert len(set(answers)) == 2, "each version answers for itself"


def status(address):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "weather"
    with grpc.insecure_channel(address) as channel:
        response = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=30)
    return {s.version: s.state for s in response.model_version_status}
