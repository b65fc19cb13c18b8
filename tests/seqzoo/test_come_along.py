"""With nothing trained: `seqzoo serve` serves the weights that come along, `seqzoo evaluate` finds the same of both."""

import json
import signal
import subprocess

import pytest
import requests

from tests.end_to_end.test_main_line import free_ports, wait_until
from tests.training import small
from training.zoo.record import recorded


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`seqzoo serve weather xor` on an empty home: (home, gRPC port, HTTP port)."""
    home = tmp_path_factory.mktemp("home")
    grpc_port, rest_port = free_ports(2)
    command = small.command("serve", "weather", "xor", f"--port={grpc_port}", f"--rest_api_port={rest_port}")
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=small.environment(home), stdout=log, stderr=log)
    try:
        wait_until(
            lambda: requests.get(f"http://localhost:{rest_port}/v1/models/xor", timeout=5).ok, server, home / "log"
        )
        yield home, grpc_port, rest_port
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_a_server_over_both_faces_and_the_process_find_the_figures_that_are_stated(served):
    home, grpc_port, rest_port = served
    stated = [f"weather test_{name} {value:.4f}" for name, value in recorded("weather").figures.items()]
    for where in ([], ["--endpoint", f"grpc://localhost:{grpc_port}"], ["--endpoint", f"http://localhost:{rest_port}"]):
        done = small.here(home, "evaluate", "weather", *where)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-3:] == stated
        low, high = recorded("weather").intervals["temp_max_mae"]
        assert f"95 % bootstrap interval {low:.4f} to {high:.4f}" in done.stdout


def test_what_comes_along_is_version_0_so_that_the_first_training_takes_over(served):
    _, _, rest_port = served
    states = requests.get(f"http://localhost:{rest_port}/v1/models/weather", timeout=10).json()
    assert [s["version"] for s in states["model_version_status"]] == ["0"]
    meta = requests.get(f"http://localhost:{rest_port}/v1/models/weather/versions/0/metadata", timeout=10).json()
    assert set(meta["metadata"]["signature_def"]["signature_def"]) >= {"serving_default", "step"}


def test_a_given_network_is_right_in_every_case_it_can_be_asked(served):
    home, _, rest_port = served
    done = small.here(home, "evaluate", "xor", "--endpoint", f"http://localhost:{rest_port}")
    assert done.stdout.splitlines()[-1] == "xor test_accuracy 1.0000", done.stderr
    answer = small.here(
        home, "ask", "xor", "--url", f"http://localhost:{rest_port}", "--inputs", '{"x": [[1, 0], [1, 1]]}'
    )
    assert json.loads(answer.stdout)["y"] == [1, 0]


def test_a_server_that_does_not_answer_is_one_line(seqzoo_home):
    (port,) = free_ports(1)
    done = small.here(seqzoo_home, "evaluate", "xor", "--endpoint", f"grpc://localhost:{port}")
    small.assert_one_line_error(done, str(port))
