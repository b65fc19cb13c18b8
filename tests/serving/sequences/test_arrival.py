"""Calls of one sequence run in the order in which they came, over whichever face, and wherever they run."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from serving.sequences.rest import id_in
from serving.sequences.store import Key
from tests.serving.asking import Rest, wait_until
from tests.serving.sequences.driving import request, sums
from tests.serving.sequences.models import chunk

LARGE, SMALL, FIRST = chunk(20_000, 2, 1)  # the first has more than 64 KiB, as a message and as JSON: no loop reads it
SEQUENCE, OTHER = 7, 8


class Server:
    """One with a thread for each face, all of them at work until it is let go."""

    def __init__(self, server):
        self.server, self.turns = server, server.sequences._turns
        self.rest, self.asking = Rest(server.rest_port), ThreadPoolExecutor(8)
        server.step.start(FIRST, SEQUENCE)
        with server.manager.use("m") as loaded:
            servable = loaded.unbatched
        self.go, run = threading.Event(), servable.run

        def held(*given):
            assert self.go.wait(60)
            return run(*given)

        servable.run = held
        self.busy = []  # a call that nobody holds is cancelled
        for ask, sequence in ((self.grpc, OTHER), (self.http, f"{OTHER}")):
            self.busy.append(ask(FIRST, sequence, 1))  # starts have a thread
            key, lines = Key("m", sequence), self.turns._lines
            wait_until(lambda key=key, lines=lines: key in lines and lines[key].at_work.entered)

    def grpc(self, x, sequence=SEQUENCE, control=0, as_content=False):
        message = request("m", {"x": x}, sequence, control)
        if as_content:
            proto = message.inputs["sequence_id"]
            proto.ClearField("uint64_val")
            proto.tensor_content = np.uint64([sequence]).tobytes()
        future = self.server.step.ask.prediction.Predict.future(message, timeout=60)
        return lambda: tf.make_ndarray(future.result().outputs["y"])

    def http(self, x, sequence=SEQUENCE, control=0):
        inputs = {"x": x.tolist(), "sequence_id": sequence, "sequence_control_input": control}
        body = {"signature_name": "step", "inputs": inputs}
        future = self.asking.submit(self.rest.predict, "m", body)
        return lambda: np.float32(future.result().json()["outputs"]["y"])

    def as_content(self, x):
        return self.grpc(x, as_content=True)

    def close(self):
        self.go.set()
        self.asking.shutdown()

    def number(self):
        """Calls of the sequence that have come."""
        line = self.turns._lines.get(Key("m", SEQUENCE))
        return 0 if line is None else 1 + len(line.waiting)


@pytest.fixture
def busy(repository, serve):
    repository("running", 1)
    found = Server(serve(grpc_max_threads=1, rest_api_num_threads=1))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [("http", "http"), ("http", "grpc"), ("grpc", "http"), ("grpc", "as_content"), ("as_content", "grpc")],
)
def test_a_small_call_does_not_overtake_a_large_one_that_waits_for_a_thread(busy, first, second):
    large = getattr(busy, first)(LARGE)
    wait_until(lambda: busy.number() == 1)
    small = getattr(busy, second)(SMALL)
    wait_until(lambda: busy.number() == 2)
    busy.go.set()
    np.testing.assert_array_equal(large(), sums(FIRST, LARGE))
    np.testing.assert_array_equal(small(), sums(FIRST, LARGE, SMALL))


def test_a_call_whose_client_has_gone_before_it_had_a_thread_holds_up_no_other(busy):
    message = request("m", {"x": LARGE}, SEQUENCE)
    gone = busy.server.step.ask.prediction.Predict.future(message, timeout=60)
    wait_until(lambda: busy.number() == 1)
    gone.cancel()
    wait_until(lambda: busy.number() == 0)
    small = busy.grpc(SMALL)
    busy.go.set()
    np.testing.assert_array_equal(small(), sums(FIRST, SMALL))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"inputs": {"x": [1], "sequence_id": 7}}', 7),
        (b'{"inputs": {"sequence_id" :\n[ 18446744073709551615 ]}}', 2**64 - 1),
        (b'{"instances": [{"sequence_id": "user-42"}]}', "user-42"),
        ('{"inputs": {"sequence_id": ["é \\"\\u00fc"]}}'.encode(), 'é "ü'),
        (b'{"inputs": {"text": "\\"sequence_id\\": 8", "sequence_id": 7}}', 7),
        (b'{"inputs": {"sequence_id": 0}}', None),
        (b'{"inputs": {"sequence_id": ""}}', None),
        (b'{"inputs": {"sequence_id": {"b64": "dXNlcg=="}}}', None),
        (b'{"inputs": {"sequence_id": "\xff"}}', None),
        (b'{"inputs": {"sequence_id": -7}}', None),
        (b'{"inputs": {"x": [1]}}', None),
    ],
)
def test_the_id_is_found_in_a_body_that_is_not_parsed(body, expected):
    assert id_in(body) == expected
