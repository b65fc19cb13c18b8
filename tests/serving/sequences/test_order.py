"""Calls that come at once: those of one sequence in order, those of different ones joined, over gRPC."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.asking import refused, wait_until
from tests.serving.sequences.driving import UNKNOWN, ids, request, sums
from tests.serving.sequences.models import chunk


def ask_at_once(step, *requests):
    """Futures of requests that are on their way."""
    return [step.ask.prediction.Predict.future(message, timeout=30) for message in requests]


def joined(server, model):
    """Steps of the model that wait to be joined."""
    with server.manager.use(model) as loaded:
        joiner = server.sequences._joiners[loaded]
    return sum(len(queue.waiting) for queue in joiner._queues.values())


@pytest.fixture
def has_waiting(sequence_server):
    """Whether a call waits for another of its sequence."""
    return lambda: any(line.waiting for line in sequence_server.sequences._turns._lines.values())


def test_steps_of_different_sequences_are_joined_and_ragged_ones_padded(step, held, sequence_server, new):
    chunks = chunk(2, 3, 1, 7, 4)
    numbers = [new, *(next(ids) for _ in chunks[1:])]
    began, go, rows = held("running")
    first = ask_at_once(step, request("running", {"x": chunks[0]}, numbers[0], 1))
    assert began.acquire(timeout=30)
    others = ask_at_once(
        step, *(request("running", {"x": x}, n, 1) for n, x in zip(numbers[1:], chunks[1:], strict=True))
    )
    wait_until(lambda: joined(sequence_server, "running") == 4)
    go.set()
    for future, x in zip(first + others, chunks, strict=True):
        answer = {alias: tf.make_ndarray(tensor) for alias, tensor in future.result().outputs.items()}
        np.testing.assert_array_equal(answer["y"], sums(x))
        assert answer["number"].tolist() == [list(range(1, x.shape[1] + 1))]
    assert rows == [1, 4]
    for number, x in zip(numbers, chunks, strict=True):
        np.testing.assert_array_equal(step.end(x, number)["y"], sums(x, x))


def test_a_bad_step_in_a_batch_harms_only_itself(ask_model, held, sequence_server, new):
    strict = ask_model("strict")
    a, b, c = chunk(2, 2, 3)
    good, bad, other = (next(ids) for _ in range(3))
    for number in (good, bad, other):
        strict.start(a, number)
    began, go, rows = held("strict")
    first = ask_at_once(strict, request("strict", {"x": a}, new, 1))
    assert began.acquire(timeout=30)
    together = ((good, b), (bad, np.full((1, 2, 2), 1000, np.float32)), (other, c))
    futures = ask_at_once(strict, *(request("strict", {"x": x}, number) for number, x in together))
    wait_until(lambda: joined(sequence_server, "strict") == 3)
    go.set()
    first[0].result()
    np.testing.assert_array_equal(tf.make_ndarray(futures[0].result().outputs["y"]), sums(a, b))
    np.testing.assert_array_equal(tf.make_ndarray(futures[2].result().outputs["y"]), sums(a, c))
    code, text = refused(futures[1].result)
    assert code == "INVALID_ARGUMENT"
    assert "a number is too large" in text
    assert rows == [1, 3, 1, 1, 1]  # each by itself, once they have failed together
    for number, so_far in ((good, (a, b)), (bad, (a,)), (other, (a, c))):
        np.testing.assert_array_equal(strict.end(b, number)["y"], sums(*so_far, b))


def test_calls_of_one_sequence_run_in_order_and_too_many_are_refused(ask_model, held, has_waiting):
    plain = ask_model("plain")
    a, b = chunk(1, 1)
    plain.start(a, 1)
    began, go, _ = held("plain")
    first = ask_at_once(plain, request("plain", {"x": a}, 1))
    assert began.acquire(timeout=30)
    second = ask_at_once(plain, request("plain", {"x": b}, 1))
    wait_until(has_waiting)
    text = "Sequence 1 has 1 requests waiting, which is the limit"
    assert refused(plain, b, 1) == ("RESOURCE_EXHAUSTED", text)
    go.set()
    np.testing.assert_array_equal(tf.make_ndarray(first[0].result().outputs["y"]), sums(a, a))
    np.testing.assert_array_equal(tf.make_ndarray(second[0].result().outputs["y"]), sums(a, a, b))
    plain.end(sequence=1)


def test_a_call_whose_deadline_passes_while_it_waits_is_not_run(step, held, new):
    a, b, c = chunk(1, 1, 1)
    step.start(a, new)
    began, go, _ = held("running")
    first = ask_at_once(step, request("running", {"x": b}, new))
    assert began.acquire(timeout=30)
    assert refused(step, c, new, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    go.set()
    first[0].result()
    np.testing.assert_array_equal(step.end(b, new)["y"], sums(a, b, b))


def test_a_repeat_that_comes_while_the_first_runs_waits_and_gets_its_answer(step, held, has_waiting, new):
    (a,) = chunk(3)
    began, go, _ = held("running")
    first = ask_at_once(step, request("running", {"x": a}, new, 1, 0))
    assert began.acquire(timeout=30)
    second = ask_at_once(step, request("running", {"x": a}, new, 1, 0))
    wait_until(has_waiting)
    go.set()
    for future in first + second:
        np.testing.assert_array_equal(tf.make_ndarray(future.result().outputs["y"]), sums(a))
    assert step.end(a, new)["number"].tolist() == [[4, 5, 6]]


def test_a_start_while_the_end_runs_is_refused(step, held, new):
    (a,) = chunk(1)
    step.start(a, new)
    began, go, _ = held("running")
    ending = ask_at_once(step, request("running", {"x": a}, new, 2))
    assert began.acquire(timeout=30)
    text = "Sequence last request is being processed and it's not available anymore"
    assert refused(step.start, a, new) == ("FAILED_PRECONDITION", text)
    assert refused(step, a, new) == UNKNOWN
    go.set()
    ending[0].result()
    np.testing.assert_array_equal(step.start(a, new)["y"], sums(a))


def test_many_clients_get_what_each_would_get_alone(step):
    """Every sequence in a thread of its own, ragged chunks; what they share is the server."""
    wrong = []

    def drive(number):
        chunks = chunk(*np.random.default_rng(number).integers(1, 9, 12), seed=number)
        for index in range(len(chunks)):
            control = 1 if not index else 2 if index == len(chunks) - 1 else 0
            answer = step.ask.prediction.Predict(
                request("running", {"x": chunks[index]}, number, control, index), timeout=30
            )
            if not np.array_equal(tf.make_ndarray(answer.outputs["y"]), sums(*chunks[: index + 1])):
                wrong.append((number, index))

    threads = [threading.Thread(target=drive, args=[next(ids)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
