"""Further steps need no thread while they wait: they run together though a face has one thread for calls."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving import one_by_one
from tests.serving.asking import Rest, wait_until
from tests.serving.sequences.driving import request, sums

NUMBERS = range(1, 7)
X = np.array([[[1.0, 2.0]]], np.float32)


class Gate:
    """Holds the runs of a servable; `rows` has how many each took."""

    def __init__(self, servable):
        self.rows, self._run, self._opened = [], servable.run, threading.Event()
        servable.run = self

    def __call__(self, feeds, *more):
        self.rows.append(len(next(iter(feeds.values()))))
        assert self._opened.wait(30)
        return self._run(feeds, *more)

    def open(self):
        self._opened.set()


@pytest.fixture
def server(repository, serve, tmp_path):
    repository("running", 1)
    return serve(
        grpc_max_threads=1, rest_api_num_threads=1, rest_api_timeout_in_ms=2000, sequence_store=f"file:{tmp_path}/store"
    )


@pytest.fixture
def gate(server):
    """Closed, after each sequence has begun."""
    for number in NUMBERS:
        server.step.start(X, number, step=0)
    with server.manager.use("m") as loaded:
        found = Gate(loaded.unbatched)
    yield found
    found.open()


def asked(server, number, step=1, **more):
    return server.step.ask.prediction.Predict.future(request("m", {"x": X}, number, 0, step), timeout=30, **more)


def body(number, step=1):
    special = {"sequence_id": number, "sequence_control_input": 0, "sequence_step": step}
    return {"signature_name": "step", "inputs": {"x": X.tolist(), **special}}


@pytest.fixture
def post(server):
    """Begins a step over REST; gives the answer when it is asked for."""
    rest = Rest(server.rest_port)
    with ThreadPoolExecutor(len(NUMBERS)) as threads:
        yield lambda content: threads.submit(rest.post, "/v1/models/m:predict", content)


def waiting(server):
    (joiner,) = server.sequences._joiners.values()
    return sum(len(queue.waiting) for queue in joiner._queues.values())


def one_has_left(server):
    (joiner,) = server.sequences._joiners.values()
    return any(step.patience.gone() for queue in joiner._queues.values() for step in queue.waiting)


def answer(future):
    return tf.make_ndarray(future.result().outputs["y"])


def test_steps_wait_for_their_batch_without_a_thread_each(server, gate):
    first = asked(server, 1)
    wait_until(lambda: gate.rows == [1])
    others = [asked(server, number) for number in NUMBERS[1:]]
    wait_until(lambda: waiting(server) == len(others))
    gate.open()
    for future in (first, *others):
        np.testing.assert_array_equal(answer(future), sums(X, X))
    assert gate.rows == [1, len(others)]


def test_a_step_that_waits_is_not_run_when_its_caller_goes(server, gate):
    first = asked(server, 1)
    wait_until(lambda: gate.rows == [1])
    gone, stays = asked(server, 2), asked(server, 3)
    wait_until(lambda: waiting(server) == 2)
    gone.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        gone.result()
    wait_until(lambda: one_has_left(server))
    gate.open()
    for future in (first, stays):
        np.testing.assert_array_equal(answer(future), sums(X, X))
    np.testing.assert_array_equal(answer(asked(server, 2, None)), sums(X, X))  # it has not counted


def test_a_repeat_that_comes_meanwhile_waits_and_gets_the_same_answer(server, gate):
    first = asked(server, 1)
    wait_until(lambda: gate.rows == [1])
    again = asked(server, 1)
    gate.open()
    np.testing.assert_array_equal(answer(first), sums(X, X))
    np.testing.assert_array_equal(answer(again), sums(X, X))
    assert gate.rows == [1]


def test_what_is_wrong_is_refused_as_on_a_thread(server, gate):
    gate.open()
    for number, step, code in ((1, 5, "FAILED_PRECONDITION"), (999, 1, "NOT_FOUND")):
        with pytest.raises(grpc.RpcError) as refused:
            asked(server, number, step).result()
        assert refused.value.code().name == code


def test_steps_over_rest_wait_for_their_batch_without_a_thread_each(server, gate, post):
    first = post(body(1))
    wait_until(lambda: gate.rows == [1])
    others = [post(body(number)) for number in NUMBERS[1:]]
    wait_until(lambda: waiting(server) == len(others))
    gate.open()
    for future in (first, *others):
        np.testing.assert_array_equal(future.result().json()["outputs"]["y"], sums(X, X))
    assert gate.rows == [1, len(others)]


def test_a_step_over_rest_has_the_same_answer_from_the_loop_and_from_a_thread(server, gate, post):
    gate.open()
    taken = post(body(1)).result()
    again = post(iter([json.dumps(body(1)).encode()])).result()  # its length is not told, and it is a repeat
    assert taken.status_code == again.status_code == 200
    assert taken.content == again.content
    for number, step, status in ((1, 5, 412), (999, 1, 404)):
        left = post(iter([json.dumps(body(number, step)).encode()])).result()
        refused = post(body(number, step)).result()
        assert (refused.status_code, refused.content) == (left.status_code, left.content)
        assert refused.status_code == status


def test_a_step_over_rest_whose_time_is_over_before_its_turn_has_not_counted(server, gate, post):
    running = asked(server, 1)
    wait_until(lambda: gate.rows == [1])
    late = post(body(2)).result()
    assert (late.status_code, late.json()) == (504, {"error": "Timed out waiting for notification"})
    gate.open()
    np.testing.assert_array_equal(answer(running), sums(X, X))
    np.testing.assert_array_equal(post(body(2)).result().json()["outputs"]["y"], sums(X, X))


def test_a_step_over_rest_is_one_of_its_sequence_however_its_names_are_written(server, gate, post):
    gate.open()
    plain = json.dumps(body(1))
    escaped = plain.replace('"sequence_', '"\\u0073equence_')
    assert escaped != plain
    answered = post(escaped.encode()).result()
    assert answered.status_code == 200, answered.content
    np.testing.assert_array_equal(answered.json()["outputs"]["y"], sums(X, X))


def test_a_lone_step_that_is_brief_runs_on_the_loop_of_its_face(repository, serve, monkeypatch):
    monkeypatch.setattr(one_by_one, "APART", 0)
    repository("running", 1)
    server = serve()
    server.step.start(X, 1, step=0)
    with server.manager.use("m") as loaded:
        inner, run, threads = loaded.unbatched, loaded.unbatched.run, []

    def noted(*given):
        threads.append(threading.current_thread().name)
        return run(*given)

    inner.run, inner.is_brief = noted, lambda feeds, fetches: True
    for step in (1, 2):
        np.testing.assert_array_equal(answer(asked(server, 1, step)), sums(*[X] * (step + 1)))
    found = Rest(server.rest_port).post("/v1/models/m:predict", body(1, 3)).json()["outputs"]["y"]
    np.testing.assert_array_equal(found, sums(X, X, X, X))
    server.step({"x": np.repeat(X, 20, axis=1)}, 1, 0, 4)  # nothing is known of so many time steps
    by_the_joiner = [name.startswith("sequence-steps") for name in threads]
    assert by_the_joiner == [True, False, False, True], threads
