import ast
import http.client
import json
import threading
import time
from pathlib import Path

import numpy as np

from serving import http_limits
from serving.clock import SystemClock
from serving.http_protocol import Protocol
from serving.server import ModelServer
from tests.serving.asking import Grpc
from tests.serving.sequences import models

SERVING = Path(__file__).parents[2] / "serving"
DAY = 86_400  # seconds
WALL = {f"time.{name}" for name in ("time", "time_ns", "ctime", "localtime")} | {"datetime.now", "datetime.utcnow"}


def test_time_goes_forward_and_a_wait_ends_with_its_event_or_its_time():
    clock, event = SystemClock(), threading.Event()
    before = clock.micros()
    assert not clock.wait(event, 2000)
    assert clock.micros() - before >= 2000
    event.set()
    assert clock.wait(event, 60_000_000)


def test_a_clock_that_jumps_ends_no_sequence_no_connection_and_no_call(tmp_path, monkeypatch):
    """Sequences, connections and calls that have a time limit: ten days forward, then ten days back."""
    swept, sweep = threading.Semaphore(0), Protocol.sweep
    monkeypatch.setattr(http_limits, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(Protocol, "sweep", lambda self, now: (sweep(self, now), swept.release())[0])
    models.write(models.Running(1), tmp_path / "running" / "1")
    (tmp_path / "batching").write_text("max_batch_size { value: 8 } batch_timeout_micros { value: 1000 }")
    flags = {"sequence_idle_ttl_seconds": 60, "rest_api_keep_alive_seconds": 60, "enable_batching": True}
    with ModelServer.on_free_ports(
        model_name="running", model_base_path=str(tmp_path / "running"),
        batching_parameters_file=str(tmp_path / "batching"), **flags,
    ) as server:  # fmt: skip
        connection = http.client.HTTPConnection("localhost", server.rest_port, timeout=30)

        def ask(signature, **inputs):
            body = json.dumps({"signature_name": signature, "inputs": inputs})
            connection.request("POST", "/v1/models/running:predict", body)
            answer = connection.getresponse()
            return json.loads(answer.read())["outputs"]

        def sum_so_far(**inputs):
            return ask("step", x=[[[1.0, 1.0]]], sequence_id=7, **inputs)["y"]

        first = np.array(sum_so_far(sequence_control_input=1))
        socket = connection.sock
        stub = Grpc(f"localhost:{server.grpc_port}")
        for days, steps in ((10, 2), (-10, 3)):
            with monkeypatch.context() as jump:
                jump.setattr(time, "time", lambda ahead=days * DAY, real=time.time: real() + ahead)
                for _ in range(3):
                    assert swept.acquire(timeout=30)
                np.testing.assert_allclose(sum_so_far(), steps * first)
            assert connection.sock is socket
            assert stub.status("running") == {1: 30}


def test_who_needs_the_time_of_day_is_known():
    """All else measures by clocks that never jump."""
    found = set()
    for path in SERVING.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL:
                found.add(str(path.relative_to(SERVING)))
    stores = {path for path in found if path.startswith("sequences/")}  # what outlives its process: no clock but this
    assert found - stores == {"observing/tracing.py"}  # the moment of a span
