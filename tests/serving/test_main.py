"""`python -m serving` as a process."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading

import grpc
import numpy as np
import psutil
import pytest
import requests

from tests.serving import exports
from tests.serving.asking import Grpc, Rest, predict_request, wait_until

HIDDEN = ("keras", "mlflow", "models", "training")


class Process:
    """A server process; what it writes goes to files."""

    def __init__(self, folder, *arguments, command=("-m", "serving")):
        self.stdout, self.stderr = folder / "stdout", folder / "stderr"
        with self.stdout.open("w") as out, self.stderr.open("w") as err:
            self.popen = subprocess.Popen([sys.executable, *command, *arguments], stdout=out, stderr=err)

    def line(self, pattern):
        """The match of a line that the log will have."""

        def look():
            assert self.popen.poll() is None, self.said()
            return re.search(pattern, self.stderr.read_text())

        return wait_until(look, 60)

    def said(self):
        return self.stdout.read_text() + self.stderr.read_text()

    def end(self, number=signal.SIGTERM):
        self.popen.send_signal(number)
        return self.popen.wait(60)


@pytest.fixture
def run(tmp_path):
    """Starts processes, and ends those that are left."""
    started = []

    def start(*arguments, **options):
        folder = tmp_path / f"process-{len(started)}"
        folder.mkdir()
        started.append(Process(folder, *arguments, **options))
        return started[-1]

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def base(tmp_path, written):
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    return tmp_path / "scale"


def free_ports():
    import socket

    with socket.socket() as one, socket.socket() as other:
        one.bind(("", 0))
        other.bind(("", 0))
        return one.getsockname()[1], other.getsockname()[1]


def flags(base):
    grpc_port, rest_port = free_ports()
    return (
        grpc_port,
        rest_port,
        [
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
            "--model_name=scale",
            f"--model_base_path={base}",
        ],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_both_faces_where_keras_and_the_other_rooms_are_absent_and_ends_with_0(run, base, number):
    grpc_port, rest_port, arguments = flags(base)
    code = f"""
        import runpy, sys
        sys.modules.update(dict.fromkeys({HIDDEN!r}))
        sys.argv[0] = "serving"
        runpy.run_module("serving", run_name="__main__", alter_sys=True)
    """
    process = run(*arguments, command=("-c", textwrap.dedent(code)))
    process.line(rf"Running gRPC ModelServer at 0\.0\.0\.0:{grpc_port} \.\.\.")
    process.line(rf"Exporting HTTP/REST API at:localhost:{rest_port} \.\.\.")
    assert Grpc(f"localhost:{grpc_port}").predict("scale", {"x": np.float32([[1]])})["y"] == 2
    assert Rest(rest_port).predict("scale", {"inputs": [1]}).json() == {"outputs": [2.0]}
    assert process.end(number) == 0, process.said()


def test_an_absent_base_path_keeps_the_ports_closed_and_the_process_can_be_ended(run, tmp_path):
    _, _, arguments = flags(tmp_path / "absent")
    process = run(*arguments)
    process.line("filesystem access error: Could not find base path .*/absent for servable scale")
    assert "Running gRPC" not in process.said()
    assert process.end() == 0, process.said()


def test_a_first_model_that_fails_ends_with_255_and_the_reason(run, tmp_path):
    exports.broken(tmp_path / "scale" / "1")
    _, _, arguments = flags(tmp_path / "scale")
    process = run(*arguments, "--max_num_load_retries=0")
    assert process.popen.wait(60) == 255
    assert process.stdout.read_text() == (
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {{{name: scale "
        "version: 1} due "
        f"to error: DATA_LOSS: Can't parse {tmp_path}/scale/1/saved_model.pb as binary proto}}, }}\n"
    )


def test_unknown_arguments_are_printed_and_the_server_starts(run, base):
    grpc_port, _, arguments = flags(base)
    process = run("--no_such=1", *arguments, "--another")
    process.line(rf"Running gRPC ModelServer at 0\.0\.0\.0:{grpc_port}")
    assert process.stdout.read_text().startswith("unknown argument: --no_such=1\nusage: python -m serving\n")
    assert process.end() == 0


def test_start_checks_end_with_255():
    ended = subprocess.run(
        [sys.executable, "-m", "serving", "--port=0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (
        255,
        "Failed to start server. Error: INVALID_ARGUMENT: At least one of server_options.grpc_port or "
        "server_options.grpc_socket_path must be set.\n",
    )


def test_version_prints_two_lines_and_ends_with_0():
    ended = subprocess.run(
        [sys.executable, "-m", "serving", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert re.fullmatch(r"TensorFlow ModelServer: \S+\nTensorFlow Library: 2\.\d+\.\d+\n", ended.stdout)


def test_nothing_of_the_other_rooms_is_imported():
    code = """
        import sys
        import serving.__main__, serving.server, serving.client
        print([name for name in sys.modules if name.split(".")[0] in ("models", "training", "mlflow", "seqzoo")])
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1"},
    )
    assert ended.stdout.strip() == "[]"


def cpu_seconds(process):
    return sum(psutil.Process(process.popen.pid).cpu_times()[:2])


@pytest.mark.parametrize(("face", "batching"), [("grpc", []), ("rest", ["--enable_batching"])])
def test_a_run_that_does_not_end_does_not_hold_up_the_end_for_longer_than_the_grace_time(run, tmp_path, face, batching):
    exports.rows_of_steps(tmp_path / "slow" / "1")
    grpc_port, rest_port = free_ports()
    process = run(
        f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--model_name=slow",
        f"--model_base_path={tmp_path / 'slow'}", "--shutdown_grace_seconds=1", *batching,
    )  # fmt: skip
    process.line("Exporting HTTP/REST API")
    stub, rest, ended = Grpc(f"localhost:{grpc_port}"), Rest(rest_port), []

    def ask():
        try:
            if face == "grpc":
                stub.prediction.Predict(predict_request("slow", {"steps": np.int32([1 << 30])}))
            else:
                ended.append(rest.predict("slow", {"inputs": [1 << 30]}).status_code)
        except grpc.RpcError as error:
            ended.append(error.code())
        except requests.RequestException as error:
            ended.append(type(error))

    at_rest = cpu_seconds(process)
    calling = threading.Thread(target=ask)
    calling.start()
    wait_until(lambda: cpu_seconds(process) > at_rest + 0.5)
    assert process.end() == 0, process.said()
    calling.join(30)
    assert len(ended) == 1


def test_a_full_disk_under_its_log_stops_neither_the_server_nor_its_end(base):
    grpc_port, rest_port, arguments = flags(base)
    command = [sys.executable, "-m", "serving", "--unknown", *arguments, "--log_level=debug"]
    with open("/dev/full", "w") as full, subprocess.Popen(command, stdout=full, stderr=full) as process:
        try:
            rest = Rest(rest_port)
            wait_until(lambda: process.poll() is not None or answers(rest), 60)
            assert Grpc(f"localhost:{grpc_port}").predict("scale", {"x": np.float32([[1]])})["y"] == 2
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def answers(rest):
    try:
        return rest.predict("scale", {"inputs": [1]}).ok
    except requests.ConnectionError:
        return False
