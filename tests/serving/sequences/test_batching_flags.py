"""Sequences with --enable_batching: its parameters say how steps of different sequences are joined."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.asking import wait_until
from tests.serving.sequences.driving import request, sums
from tests.serving.sequences.models import chunk


@pytest.fixture
def batched(repository, serve, tmp_path):
    """A server with these parameters; `rows`: of each run, which waits until `go` is set."""
    repository("running", 1)
    runs = []

    def start(parameters):
        (tmp_path / "batching").write_text(parameters)
        server = serve(enable_batching=True, batching_parameters_file=str(tmp_path / "batching"), grpc_max_threads=16)
        server.rows, server.go = [], threading.Event()
        with server.manager.use("m") as loaded:
            servable = loaded.unbatched
        run = servable.run

        def held(feeds, *more):
            server.rows.append(len(next(iter(feeds.values()))))
            assert server.go.wait(60)
            return run(feeds, *more)

        servable.run = held
        runs.append(server.go)
        return server

    yield start
    for go in runs:
        go.set()


def starts(server, numbers, chunks):
    ask = server.step.ask.prediction.Predict.future
    return [ask(request("m", {"x": x}, number, 1), timeout=60) for number, x in zip(numbers, chunks, strict=True)]


def check(futures, chunks):
    for future, x in zip(futures, chunks, strict=True):
        np.testing.assert_array_equal(tf.make_ndarray(future.result().outputs["y"]), sums(x))


def waiting(server):
    (joiner,) = server.sequences._joiners.values()
    return sum(len(queue.waiting) for queue in joiner._queues.values())


def test_a_full_batch_does_not_wait_for_the_timeout(batched):
    server = batched("max_batch_size { value: 4 } batch_timeout_micros { value: 3600000000 }")
    server.go.set()
    chunks = chunk(2, 3, 1, 4)
    check(starts(server, range(1, 5), chunks), chunks)
    assert server.rows == [4]


def test_a_batch_waits_for_the_timeout_and_no_longer(batched):
    server = batched("max_batch_size { value: 4 } batch_timeout_micros { value: 1000 }")
    server.go.set()
    chunks = chunk(2)
    check(starts(server, [1], chunks), chunks)
    assert server.rows == [1]


def test_no_run_has_more_rows_than_the_most_and_each_has_an_allowed_number(batched):
    server = batched("max_batch_size { value: 4 } allowed_batch_sizes: 2 allowed_batch_sizes: 4")
    chunks = chunk(2, 3, 1, 4, 5, 2, 3, 1)
    futures = starts(server, [1], chunks[:1])
    wait_until(lambda: server.rows == [2])  # one row, and one to make up the number
    futures += starts(server, range(2, 9), chunks[1:])
    wait_until(lambda: waiting(server) == 7)
    server.go.set()
    check(futures, chunks)
    assert server.rows == [2, 4, 4]
    for number, x in zip(range(1, 9), chunks, strict=True):  # what made up the number has changed no state
        np.testing.assert_array_equal(server.step(x, number)["y"], sums(x, x))
